/** Matches one character of a program's output, or one escape code: a colour, a cursor move, a clearing. */
// oxlint-disable-next-line eslint/no-control-regex -- the pattern matches escape codes
const CODES = /\x1b\[(?<up>\d+)A|\x1b\[(?<clear>J)|\x1b\[\??[\d;]*[a-zA-Z]|(?<text>[^\x1b])/gu;

/**
 * Returns the rows that a terminal shows after this output: the last ones, wrapped and overwritten as a
 * terminal does.
 */
export function visibleRows(raw: string, columns: number, rows: number): string[] {
  const lines: string[] = [""];
  let at = 0;
  let isAtStart = true;
  const put = (char: string) => {
    const line = isAtStart ? "" : (lines[at] ?? "");
    isAtStart = false;
    if (Bun.stringWidth(line + char) <= columns) lines[at] = line + char;
    else lines[++at] = char;
  };
  for (const { groups } of raw.matchAll(CODES)) {
    const { up, clear, text } = groups ?? {};
    if (up !== undefined) at = Math.max(0, at - Number(up));
    else if (clear !== undefined) lines.splice(at, Infinity, "");
    else if (text === "\r") isAtStart = true;
    else if (text === "\n") {
      at++;
      lines[at] ??= "";
    } else if (text !== undefined) put(text);
  }
  return lines.slice(-rows);
}
