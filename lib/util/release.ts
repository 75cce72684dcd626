/**
 * Gives the memory of bytes that nobody needs any more back at once. The garbage collector would
 * do it too, but late: chunks pile up to a hundred MiB before it looks.
 * @param bytes a view of a buffer that belongs to nobody else; it is empty afterwards
 */
export function release(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}
