/**
 * The single program that `bun run build` makes of the others: the client, the server, and the commands of
 * `fds`. It combines programs, as each of them combines its parts.
 */
import { BUILD } from "../util/build.ts";
import { exit, stdout } from "../util/output.ts";
import { isServiceCommand } from "./service/names.ts";
import { version } from "../../package.json";

const [word, ...rest] = process.argv.slice(2);

// Only for short commands and the server. An idle client should use little memory, so it keeps compiling
// rarely (build.ts); a long transfer soon gets over that.
if (word !== "client") Bun.unsafe.setJITPolicy(1);

// Only the needed program is loaded: a client needs neither the memory nor the time of a server.
if ((word === "client" || word === "server") && isServiceCommand(rest[0])) {
  const { runServiceCommand } = await import("./service/command.ts");
  await runServiceCommand(word, rest[0], rest.slice(1), process.env);
} else if (word === "client") {
  const { runClient } = await import("../../client.ts");
  await runClient(rest);
} else if (word === "server") {
  const { runServer } = await import("../../server.ts");
  await runServer(rest);
} else if (word === "doctor") {
  // Problems of a site are checked at the site.
  const { runServer } = await import("../../server.ts");
  await runServer([word, ...rest]);
} else if (word === "--version") {
  stdout.write(`${versionLine()}\n`);
  await exit(0, new AbortController().signal);
} else {
  const { runFds } = await import("../cli/fds.ts");
  await runFds(process.argv.slice(2));
}

function versionLine(): string {
  const build = BUILD === null ? "from its sources" : `commit ${BUILD.commit}, ${BUILD.target}`;
  return `fds ${version} (${build})`;
}
