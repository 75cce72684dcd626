/** Whether a text is the IANA name of a time zone. */
export function isTimeZone(name: string): boolean {
  // What begins with a sign or a digit is an offset, which no place has all year.
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    return Intl.DateTimeFormat("en", { timeZone: name }).format(0) !== "";
  } catch {
    return false;
  }
}

/** The time zone of this machine, where it has one. */
export function systemTimeZone(): string | null {
  const name = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  return isTimeZone(name) ? name : null;
}
