/** What our programs write beside text: colours, the cursor, and moves of progress bars. */
// oxlint-disable-next-line eslint/no-control-regex -- they are what is read here
const CODES = /\x1b\[(?<up>\d+)A|\x1b\[(?<clear>J)|\x1b\[\??[\d;]*[a-zA-Z]|(?<text>[^\x1b])/gu;

/**
 * What a person sees after all that was written: the last rows of the screen, wrapped and redrawn
 * as a terminal does it.
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
