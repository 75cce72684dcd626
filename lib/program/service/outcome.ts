import { Failure } from "../../cli/program.ts";
import { clientStateOf, isConnected } from "./client-state.ts";
import { type CommandContext, runStateOf } from "./context.ts";
import { dashboardLink, serverStateOf } from "./server-state.ts";
import type { FileSettings } from "../../util/settings-file.ts";

/** Time limit for an installed service to connect or to listen, in ms. */
const OUTCOME_TIMEOUT_MS = 20_000;
const POLL_INTERVAL_MS = 100;

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
  const check = program === "client" ? checkClient : checkServer;
  let reason = "";
  for (const deadline = performance.now() + OUTCOME_TIMEOUT_MS; performance.now() < deadline;) {
    const outcome = await check(context, settings, pidBefore);
    if ("success" in outcome) return context.tell(`✓ ${outcome.success}\n`);
    ({ reason } = outcome);
    await Bun.sleep(POLL_INTERVAL_MS);
    context.signal.throwIfAborted();
  }
  const { manager, service } = context;
  throw new Failure(
    `installed, but ${reason}; fds ${program} doctor says what to do, and ${manager.logHint(service)} shows its log`,
  );
}

type Outcome = { success: string } | { reason: string };

async function checkClient(
  context: CommandContext,
  settings: FileSettings,
  pidBefore: number | null,
): Promise<Outcome> {
  const state = await clientStateOf(settings["CLIENT_STATE_DIR"] ?? "", await runStateOf(context));
  const { connection, running } = state;
  if (running !== "running") return { reason: "the service does not run" };
  if (!connection || connection.pid === pidBefore) return { reason: "the client says nothing" };
  if (isConnected(state)) return { success: `connected as ${settings["CLIENT_ID"]}` };
  return { reason: `not connected: ${connection.reason ?? "the server does not answer"}` };
}

async function checkServer(context: CommandContext, settings: FileSettings): Promise<Outcome> {
  if ((await runStateOf(context)) === "stopped") return { reason: "the service does not run" };
  try {
    const { address, api } = await serverStateOf(settings, context.signal);
    if (!api) return { success: `listens at ${address}, for whoever shows a certificate` };
    const link = await dashboardLink(settings, context.signal);
    return { success: `listens at ${address}\n  the dashboard, good once: ${link}` };
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) };
  }
}
