/**
 * Frees the memory of a buffer at once. The garbage collector would free it only later, after up to a hundred
 * MiB of unused buffers have piled up.
 * @param bytes a view of an ArrayBuffer that no other code uses; the view is empty afterwards
 */
export function release(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}
