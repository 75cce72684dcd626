import { alignedFields } from "../../cli/terminal/labelled.ts";
import { type StyledText, terminalOf } from "../../cli/terminal/terminal.ts";
import { formatAge, formatSpan } from "../../cli/terminal/times.ts";

import { parseFlags } from "../../util/flags.ts";
import { stdout } from "../../util/output.ts";
import { type FileSettings, parseSettings } from "../../util/settings-file.ts";
import { formatSize } from "../../util/sizes.ts";
import { isOlder } from "../../util/version-order.ts";
import { version } from "../../../package.json";
import { type ClientState, clientStateOf, isConnected } from "./client-state.ts";
import { type CommandContext, runStateOf, SETTING_TABLES } from "./context.ts";
import { statusHelp } from "./help.ts";
import { readIfThere } from "./perform.ts";
import { type ServerState, serverStateOf } from "./server-state.ts";
import type { RunState, Service } from "./service.ts";

/** The report that `status` prints. */
interface Report {
  isWell: boolean;
  /** Names and values to show at a terminal. */
  fields: Record<string, StyledText | null>;
  /** Advice on what to do, most urgent first. */
  next: string[];
  /** The report for scripts. */
  json: object;
}

/**
 * Reports the state of an installed service.
 * @param argv arguments after `status`
 * @returns the exit code, which is 0 only if all is well
 */
export async function status(context: CommandContext, argv: string[]): Promise<number> {
  const { service, manager, tell } = context;
  const { values } = parseFlags(argv, { json: { type: "boolean" } });
  if (values["help"]) {
    tell(statusHelp(service));
    return 0;
  }
  const { settings: path, state } = manager.paths(service);
  const text = await readIfThere(path);
  const settings = parseSettings(text, path, SETTING_TABLES[service.program]);
  const running = text === "" ? "not installed" : await runStateOf(context);
  const report =
    service.program === "client"
      ? reportOfClient(
          await clientStateOf(settings["CLIENT_STATE_DIR"] || state, running),
          settings,
          [doctorAdvice(service), manager.logHint(service)],
        )
      : await reportOfServer(context, running, settings);
  if (values["json"]) {
    const { isWell, json, next } = report;
    tell(`${JSON.stringify({ well: isWell, version, ...json, next }, null, 2)}\n`);
  } else {
    const { colour } = terminalOf(stdout, {});
    const lines = alignedFields({ ...report.fields, version }, colour);
    tell(
      `${[service.description, ...lines, ...report.next.map((one) => `→ ${one}`)].join("\n")}\n`,
    );
  }
  return report.isWell ? 0 : 1;
}

function reportOfClient(
  state: ClientState,
  settings: FileSettings,
  [doctor, logs]: [string, string],
): Report {
  const { running, connection, lastDelivery } = state;
  const isWell = isConnected(state);
  const isRunning = running === "running";
  return {
    isWell,
    fields: {
      client: settings["CLIENT_ID"] ?? null,
      service: runStateShown(running),
      connection: isRunning ? connectionShown(state) : null,
      "last delivery": lastDelivery
        ? `${lastDelivery.file_path}, ${formatSize(lastDelivery.bytes_sent)}, ${formatAge(lastDelivery.time)}`
        : "none yet",
    },
    next: clientAdvice(state, doctor, logs),
    json: {
      client_id: settings["CLIENT_ID"] ?? null,
      service: running.replace(" ", "_"),
      connection: isRunning ? connection : null,
      last_delivery: lastDelivery,
    },
  };
}

/** Returns the advice to run `doctor`, for an administrator. */
function doctorAdvice({ program }: Service): string {
  const words = `fds ${program} doctor`;
  return `see what is wrong: ${process.platform === "win32" ? words : `sudo ${words}`}`;
}

function connectionShown({ connection }: ClientState): StyledText {
  if (!connection) return { text: "the client says nothing yet", colour: "yellow" };
  const { state, server, since, reason } = connection;
  const span = formatSpan((Date.now() - Date.parse(since)) / 1000);
  if (state === "connected") return { text: `● ${server}, for ${span}`, colour: "green" };
  return { text: `○ ${server}, not for ${span}: ${reason ?? state}`, colour: "red" };
}

function clientAdvice(state: ClientState, doctor: string, logs: string): string[] {
  const { running, connection } = state;
  if (running === "not installed") return ["install it: fds client install --help"];
  if (running === "stopped") {
    return [doctor, `see its log: ${logs}`, "start it again: fds client install"];
  }
  if (!isConnected(state)) return [doctor];
  if (connection?.server_version && isOlder(connection.version, connection.server_version)) {
    return [`the server has version ${connection.server_version}: install a newer program`];
  }
  return [];
}

/**
 * Text after the address of a server that requires a client certificate, which this program does not have.
 */
const CERTIFICATE_REMARK = ", for whoever shows a certificate";

async function reportOfServer(
  { signal, manager, service }: CommandContext,
  running: RunState,
  settings: FileSettings,
): Promise<Report> {
  const stateOrError = running === "not installed" ? running : await readState(settings, signal);
  const state = typeof stateOrError === "string" ? null : stateOrError;
  const lastDownload = state?.api?.last_download;
  return {
    isWell: state !== null,
    fields: {
      service: running === null ? null : runStateShown(running),
      api: state
        ? { text: `● ${state.address}${state.api ? "" : CERTIFICATE_REMARK}`, colour: "green" }
        : { text: `○ ${String(stateOrError)}`, colour: "red" },
      clients: state?.api ? `${state.api.connected} of ${state.api.clients} connected` : null,
      "last download": lastDownload
        ? `${lastDownload.file_path ?? "a set"} of ${lastDownload.client_id}, ${formatAge(lastDownload.completed_at)}`
        : null,
    },
    next: serverAdvice(running, state, {
      doctor: doctorAdvice(service),
      logs: manager.logHint(service),
      settings: manager.paths(service).settings,
    }),
    json: {
      service: (running ?? "unknown").replace(" ", "_"),
      server: state && { address: state.address, ...state.api },
    },
  };
}

async function readState(
  settings: FileSettings,
  signal: AbortSignal,
): Promise<ServerState | string> {
  try {
    return await serverStateOf(settings, signal);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function serverAdvice(
  running: RunState,
  state: ServerState | null,
  { doctor, logs, settings }: { doctor: string; logs: string; settings: string },
): string[] {
  if (running === "not installed") return ["install it: fds server install --help"];
  if (!state) return [doctor, `see its log: ${logs}`, "start it again: fds server install"];
  const create = `fds --config ${settings} enroll create NAME --id ID`;
  return state.api?.clients === 0 ? [`add a client: sudo ${create}`] : [];
}

function runStateShown(running: Exclude<RunState, null>): StyledText {
  return running === "running"
    ? { text: "● running", colour: "green" }
    : { text: `○ ${running}`, colour: "red" };
}
