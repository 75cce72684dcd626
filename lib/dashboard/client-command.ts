/** Values for the command that connects a new client. */
export interface NewClient {
  id: string;
  /** Folder at the site whose files may be pulled; empty for a default folder. */
  root: string;
  /** URL of this page, from which the server's URL follows. */
  page: URL;
  /** Enrolment key of the new client; null if the server requires none. */
  key: string | null;
}

/** Returns the shell command that installs a client as a service by means of the built program for Linux. */
export function installCommand({ id, root, page, key }: NewClient): string {
  return [
    // The key goes through standard input, as other users of the machine can see the flags of running
    // programs.
    ...(key === null ? [] : [`echo ${key} |`]),
    `sudo ./fds-linux-x64 client install --id ${id} --server ${serverUrlOf(page)}`,
    `--root ${quoted(root || "/srv/exports")}`,
    ...(isUnencrypted(page) ? ["--insecure"] : []),
    ...(key === null ? [] : ["--enroll-token -"]),
  ].join(" ");
}

/** Returns the shell command that starts a client from the sources and connects it to this page's server. */
export function clientCommand({ id, root, page, key }: NewClient): string {
  return [
    ...(key === null ? [] : [`ENROLL_TOKEN=${key}`]),
    `bun run client --id ${id} --server ${serverUrlOf(page)}`,
    ...(root === "" ? [] : [`--root ${quoted(root)}`]),
    ...(isUnencrypted(page) ? ["--insecure"] : []),
  ].join(" ");
}

/** Returns the server's URL, which is the URL of the page without the file name at its end. */
function serverUrlOf(page: URL): string {
  return new URL(".", page).href.replace(/\/$/, "");
}

/** Reports whether data to this URL crosses a network without TLS. A client then needs `--insecure`. */
export function isUnencrypted({ protocol, hostname }: URL): boolean {
  return protocol === "http:" && !/^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname);
}

/** Quotes a folder's path for a shell, if necessary. `~` and `~user` still mean a home folder. */
function quoted(text: string): string {
  const [home = ""] = /^~[\w-]*(?=\/|$)/.exec(text) ?? [];
  const rest = text.slice(home.length);
  if (/^[\w./:@%+=,-]*$/.test(rest)) return text;
  return `${home}'${rest.replaceAll("'", String.raw`'\''`)}'`;
}
