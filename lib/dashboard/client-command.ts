/** Options of a new client. */
export interface NewClient {
  id: string;
  /** Folder to serve; empty: the client's default. */
  root: string;
  /** Address of this page. */
  page: URL;
  /** Its enrolment key; null: the server needs none. */
  key: string | null;
}

/** The command, for a POSIX shell, that installs a client with the program for Linux. */
export function installCommand({ id, root, page, key }: NewClient): string {
  return [
    // Not as a flag, as other users of that machine can see the arguments of running programs.
    ...(key === null ? [] : [`echo ${key} |`]),
    `sudo ./fds-linux-x64 client install --id ${id} --server ${addressOf(page)}`,
    `--root ${quoted(root || "/srv/exports")}`,
    ...(isInTheClear(page) ? ["--insecure"] : []),
    ...(key === null ? [] : ["--enroll-token -"]),
  ].join(" ");
}

/** The command, for a POSIX shell, that starts a client for this page's server. */
export function clientCommand({ id, root, page, key }: NewClient): string {
  return [
    ...(key === null ? [] : [`ENROLL_TOKEN=${key}`]),
    `bun run client --id ${id} --server ${addressOf(page)}`,
    ...(root === "" ? [] : [`--root ${quoted(root)}`]),
    ...(isInTheClear(page) ? ["--insecure"] : []),
  ].join(" ");
}

/** Address of the server of this page. */
function addressOf(page: URL): string {
  return new URL(".", page).href.replace(/\/$/, "");
}

/** Whether data is sent unencrypted over a network, which a client only does if told to. */
export function isInTheClear({ protocol, hostname }: URL): boolean {
  return protocol === "http:" && !/^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname);
}

/** Quotes a folder for a command; a leading `~` still means the home folder. */
function quoted(text: string): string {
  return /^~?[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
