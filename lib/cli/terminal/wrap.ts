/** The width of help texts: the usual 80 columns less one, as some terminals wrap a full line. */
const COLUMNS = 79;

/**
 * Wraps lines of a help text that are too wide. Adjacent lines with the same indentation form a paragraph,
 * which is wrapped if one of its lines is too wide. Other lines stay as they are.
 */
export function wrapHelp(text: string): string {
  const blocks: string[][] = [];
  for (const line of text.split("\n")) {
    const block = blocks.at(-1);
    const before = block?.at(-1);
    if (before && line !== "" && indentOf(before) === indentOf(line)) block?.push(line);
    else blocks.push([line]);
  }
  return blocks.map((lines) => wrapBlock(lines)).join("\n");
}

/**
 * Returns a command of a shell as lines of a help text. A line that is too wide goes on in the next one, with
 * a backslash at its end, so that the command can be copied.
 */
export function wrapCommand(command: string): string {
  const [program = "", ...words] = command.split(" ");
  const lines = [`  ${program}`];
  for (const word of words) {
    const longer = `${lines.at(-1)} ${word}`;
    if (Bun.stringWidth(`${longer} \\`) <= COLUMNS) lines[lines.length - 1] = longer;
    else lines.push(`    ${word}`);
  }
  return lines.join(" \\\n");
}

function wrapBlock(lines: string[]): string {
  if (lines.every((line) => Bun.stringWidth(line) <= COLUMNS)) return lines.join("\n");
  const indent = indentOf(lines[0] ?? "");
  const filled: string[] = [];
  for (const word of lines.join(" ").split(" ").filter(Boolean)) {
    const longer = `${filled.at(-1) ?? indent} ${word}`;
    if (filled.length > 0 && Bun.stringWidth(longer) <= COLUMNS) filled[filled.length - 1] = longer;
    else filled.push(indent + word);
  }
  return filled.join("\n");
}

function indentOf(line: string): string {
  return /^ */.exec(line)?.[0] ?? "";
}
