/** The system's name for what went wrong, such as "ENOENT", or null for any other error. */
export function systemCode(error: unknown): string | null {
  if (!(error instanceof Error) || !("errno" in error) || !("code" in error)) return null;
  return typeof error.code === "string" ? error.code : null;
}
