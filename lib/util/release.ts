/**
 * Frees the memory of bytes at once that nobody needs any more. The garbage collector would do it too, but
 * late: chunks pile up to a hundred MiB before it runs.
 * @param bytes a view of a buffer that nobody else uses; it is empty afterwards
 */
export function release(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}
