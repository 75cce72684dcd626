/** Returns the text below a heading, up to the next heading of any level. */
export function section(markdown: string, heading: string): string {
  const parts = markdown.split(/^#+ (.+)$/m);
  const at = parts.indexOf(heading);
  if (at < 0) throw new Error(`there is no heading "${heading}"`);
  return parts[at + 1] ?? "";
}

/** Returns the contents of fenced code blocks in a language; `""` selects blocks without a language. */
export function codeBlocks(markdown: string, language: string): string[] {
  const blocks = [...markdown.matchAll(/^```(\w*)\n([^]*?)^```$/gm)];
  return blocks.filter((block) => block[1] === language).map((block) => block[2] ?? "");
}

/** Returns the cells of the table's rows, without the two header lines. The text must hold only one table. */
export function tableRows(markdown: string): string[][] {
  const lines = markdown.split("\n").filter((line) => line.startsWith("|"));
  return lines.slice(2).map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** Returns the texts between single backticks, outside of fenced code blocks. */
export function codeSpans(markdown: string): string[] {
  const prose = markdown.replaceAll(/^```[^]*?^```$/gm, "");
  return [...prose.matchAll(/`([^`\n]+)`/g)].map((span) => span[1] ?? "");
}
