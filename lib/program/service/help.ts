import { describeSettings } from "../../util/settings.ts";
import { wrapHelp } from "../../cli/terminal/wrap.ts";
import { SETTING_TABLES } from "./context.ts";
import type { Service } from "./service.ts";

const INSTALL = {
  client: {
    usage: "--id ID --server URL --root FOLDER [--enroll-token -] [flags]",
    text: `Installs the client as a service that starts with the machine: copies this program, writes its
settings and the service, and waits until the client is connected. Again with other flags it changes
what they say; a newer program takes the place of the one that is there.`,
    token: `  --enroll-token -
      reads what the server asks of a new client from standard input, a line; it is removed
      once the client is enrolled
`,
  },
  server: {
    usage: "[flags]",
    text: `Installs the server as a service that starts with the machine: copies this program, writes its
settings, with fresh tokens, and the service. Again with other flags it changes what they say; a newer
program takes the place of the one that is there.`,
    token: `  --enroll-token -
      reads what the server asks of new clients from standard input, a line (default: a fresh one)
`,
  },
};

/** Returns the text of `--help` for `install`. */
export function installHelp({ program }: Service): string {
  const { usage, text, token } = INSTALL[program];
  const settings = describeSettings(SETTING_TABLES[program])
    .replace("  --help, -h\n      show this\n", "")
    .replace(
      /--config FILE\n.*\n/,
      "--config FILE\n      takes settings from it, lines of NAME=value\n",
    );
  return wrapHelp(`Usage: fds ${program} install ${usage}

${text}

  --dry-run
      says what would be written and run, and changes nothing
  --destdir FOLDER
      writes below it as if it were /, and runs nothing: for packages and images
${token}  --help, -h
      show this

Settings:
${settings}
`);
}

/** Returns the text of `--help` for `uninstall`. */
export function uninstallHelp({ program }: Service): string {
  const keptData = program === "client" ? "its key" : "its downloads and records";
  const purgeException = program === "client" ? "" : "; a folder that --downloads-dir named stays";
  return wrapHelp(`Usage: fds ${program} uninstall [flags]

Ends the service and removes all that install wrote, and what it kept, but ${keptData}.

  --purge
      removes ${keptData} too, and the user of the service${purgeException}
  --dry-run
      says what would be removed and run, and changes nothing
  --destdir FOLDER
      removes below it as if it were /, and runs nothing
  --help, -h
      show this
`);
}

/** Returns the text of `--help` for `status`. */
export function statusHelp({ program }: Service): string {
  return wrapHelp(`Usage: fds ${program} status [--json]

Says how the installed ${program} is doing, and what to do next. Exits 0 only if all is well.

  --json
      JSON on standard output, for scripts
  --help, -h
      show this
`);
}
