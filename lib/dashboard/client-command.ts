/** What a new client is to be started with. */
export interface NewClient {
  id: string;
  /** Folder that it serves; empty: the client's own default. */
  root: string;
  /** Where this page is. */
  page: URL;
  /** What it enrols with; null: the server asks for nothing. */
  key: string | null;
}

/** The command, for a POSIX shell, that installs a client, by the one program of a Linux machine. */
export function installCommand({ id, root, page, key }: NewClient): string {
  return [
    // Not a flag's value: others on that machine see the words of a program that runs.
    ...(key === null ? [] : [`echo ${key} |`]),
    `sudo ./fds-linux-x64 client install --id ${id} --server ${addressOf(page)}`,
    `--root ${quoted(root || "/srv/exports")}`,
    ...(isInTheClear(page) ? ["--insecure"] : []),
    ...(key === null ? [] : ["--enroll-token -"]),
  ].join(" ");
}

/** The command, for a POSIX shell, that starts a client which connects to this page's server. */
export function clientCommand({ id, root, page, key }: NewClient): string {
  return [
    ...(key === null ? [] : [`ENROLL_TOKEN=${key}`]),
    `bun run client --id ${id} --server ${addressOf(page)}`,
    ...(root === "" ? [] : [`--root ${quoted(root)}`]),
    ...(isInTheClear(page) ? ["--insecure"] : []),
  ].join(" ");
}

/** The address of the server that serves the page. */
function addressOf(page: URL): string {
  return new URL(".", page).href.replace(/\/$/, "");
}

/** True where what is sent to the server can be read on its way: a client asks for a word about it. */
export function isInTheClear({ protocol, hostname }: URL): boolean {
  return protocol === "http:" && !/^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname);
}

/** A folder as one word of a command; a `~` at its start still means the home folder. */
function quoted(text: string): string {
  return /^~?[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
