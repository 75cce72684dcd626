/** What is below a heading, up to the next one of any level. */
export function section(markdown: string, heading: string): string {
  const parts = markdown.split(/^#+ (.+)$/m);
  const at = parts.indexOf(heading);
  if (at < 0) throw new Error(`there is no heading "${heading}"`);
  return parts[at + 1] ?? "";
}

/** The texts of the fenced blocks of a language; "" for those that name none. */
export function codeBlocks(markdown: string, language: string): string[] {
  const blocks = [...markdown.matchAll(/^```(\w*)\n([^]*?)^```$/gm)];
  return blocks.filter((block) => block[1] === language).map((block) => block[2] ?? "");
}

/** The rows of the only table, without its head. */
export function tableRows(markdown: string): string[][] {
  const lines = markdown.split("\n").filter((line) => line.startsWith("|"));
  return lines.slice(2).map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** What stands between backticks, outside of fenced blocks. */
export function codeSpans(markdown: string): string[] {
  const prose = markdown.replaceAll(/^```[^]*?^```$/gm, "");
  return [...prose.matchAll(/`([^`\n]+)`/g)].map((span) => span[1] ?? "");
}
