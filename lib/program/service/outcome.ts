import { Failure } from "../../cli/program.ts";
import { clientStateOf, isConnected } from "./client-state.ts";
import { type CommandContext, runningOf } from "./context.ts";
import { dashboardLink, serverStateOf } from "./server-state.ts";
import type { FileSettings } from "../../util/settings-file.ts";

/** Time limit for an installed service to connect or to listen, in ms. */
const PATIENCE_MS = 20_000;
const LOOK_EVERY_MS = 100;

/**
 * Waits until an installed service works, and prints the result.
 * @param settings settings of the installed service
 * @param pidBefore id of the client's process before the installation; null if none ran
 * @throws Failure that says why the service does not work
 */
export async function tellOutcome(
  context: CommandContext,
  settings: FileSettings,
  pidBefore: number | null,
): Promise<void> {
  const { program } = context.service;
  const look = program === "client" ? lookAtClient : lookAtServer;
  let reason = "";
  for (const until = performance.now() + PATIENCE_MS; performance.now() < until;) {
    const seen = await look(context, settings, pidBefore);
    if ("well" in seen) return context.tell(`✓ ${seen.well}\n`);
    ({ reason } = seen);
    await Bun.sleep(LOOK_EVERY_MS);
    context.signal.throwIfAborted();
  }
  const { manager, service } = context;
  throw new Failure(
    `installed, but ${reason}; fds ${program} doctor says what to do, and ${manager.logs(service)} shows its log`,
  );
}

type Seen = { well: string } | { reason: string };

async function lookAtClient(
  context: CommandContext,
  settings: FileSettings,
  pidBefore: number | null,
): Promise<Seen> {
  const state = await clientStateOf(settings["CLIENT_STATE_DIR"] ?? "", await runningOf(context));
  const { connection, running } = state;
  if (running !== "running") return { reason: "the service does not run" };
  if (!connection || connection.pid === pidBefore) return { reason: "the client says nothing" };
  if (isConnected(state)) return { well: `connected as ${settings["CLIENT_ID"]}` };
  return { reason: `not connected: ${connection.reason ?? "the server does not answer"}` };
}

async function lookAtServer(context: CommandContext, settings: FileSettings): Promise<Seen> {
  if ((await runningOf(context)) === "stopped") return { reason: "the service does not run" };
  try {
    const { address, api } = await serverStateOf(settings, context.signal);
    if (!api) return { well: `listens at ${address}, for whoever shows a certificate` };
    const link = await dashboardLink(settings, context.signal);
    return { well: `listens at ${address}\n  the dashboard, good once: ${link}` };
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) };
  }
}
