/**
 * The main file of the single program that `bun run build` makes. The program contains the client, the server
 * and the commands of `fds`.
 */
import { BUILD } from "../util/build.ts";
import { stdout } from "../util/output.ts";
import { isServiceCommand, SERVICE_COMMANDS } from "./service/names.ts";
import { version } from "../../package.json";

const [word, ...rest] = process.argv.slice(2);

// The build sets a policy that compiles code rarely (build.ts). Short commands and the server switch to
// normal compiling. An idle client keeps the policy to save memory. A long transfer gets its hot code
// compiled anyway.
if (word !== "client") Bun.unsafe.setJITPolicy(1);

// Modules are imported on demand, so that a client needs neither the memory nor the time to load a server.
if (word === "client" || word === "server") await runService(word, rest);
else if (word === "doctor") await runService("server", process.argv.slice(2));
else if (word === "--version") await tellVersion(rest);
else {
  const { runFds } = await import("../cli/fds.ts");
  await runFds(process.argv.slice(2));
}

async function runService(program: "client" | "server", argv: string[]): Promise<void> {
  const [command, ...flags] = argv;
  if (command === "--version") return tellVersion(flags);
  if (isServiceCommand(command)) {
    const { runServiceCommand } = await import("./service/command.ts");
    return runServiceCommand(program, command, flags, process.env);
  }
  const isCommand = command !== undefined && !command.startsWith("-");
  if (isCommand && command !== "doctor") return refuseCommand(program, command);
  const words = command === "doctor" ? await wordsForDoctor(program, flags) : argv;
  if (program === "client") {
    const { runClient } = await import("../../client.ts");
    return runClient(words);
  }
  const { runServer } = await import("../../server.ts");
  return runServer(words);
}

async function wordsForDoctor(program: "client" | "server", flags: string[]): Promise<string[]> {
  const { withInstalledSettings } = await import("./service/installed-settings.ts");
  const { managerOf, SERVICES } = await import("./service/services.ts");
  const manager = managerOf(process.platform, process.execPath, process.env);
  return ["doctor", ...withInstalledSettings(flags, manager.paths(SERVICES[program]).settings)];
}

/** Prints the version of the program. @param words arguments after `--version` */
async function tellVersion(words: string[]): Promise<void> {
  const { runProgram } = await import("../cli/program.ts");
  await runProgram(async () => {
    const { parseFlags } = await import("../util/flags.ts");
    parseFlags(words, {});
    const build = BUILD === null ? "from its sources" : `commit ${BUILD.commit}, ${BUILD.target}`;
    stdout.write(`fds ${version} (${build})\n`);
  });
}

async function refuseCommand(program: "client" | "server", command: string): Promise<void> {
  const { runProgram } = await import("../cli/program.ts");
  await runProgram(async () => {
    const { UsageError } = await import("../util/flags.ts");
    const commands = ["doctor", ...SERVICE_COMMANDS].join(", ");
    throw new UsageError(
      `unknown command "${command}", expected fds ${program} with flags, or with one of ${commands}`,
    );
  });
}
