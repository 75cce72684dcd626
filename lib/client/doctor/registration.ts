import type { Check, Finding } from "../../util/checkup.ts";
import { type ErrorCode, meaningOf } from "../../protocol/errors.ts";
import { FEATURES, type Probed } from "../../protocol/messages.ts";
import type { ClientConfig } from "../config.ts";
import { readEnrolToken } from "../enrol-token-file.ts";
import { temporaryKeys, inspectKeys } from "../key.ts";
import { tlsOptionsOf } from "../server-identity.ts";
import { TlsFiles } from "../tls-files.ts";
import { type ProbeOutcome, probe } from "./probe.ts";

/**
 * Returns the doctor's check of whether the server would accept this client. The check does not register the
 * client.
 */
export function registrationCheck(config: ClientConfig, version: string): Check {
  return {
    name: "registration",
    needs: ["key", "connection", "proxy", "TLS", "server"],
    run: (signal) => checkRegistration(config, version, signal),
  };
}

async function checkRegistration(
  config: ClientConfig,
  version: string,
  signal: AbortSignal,
): Promise<Finding> {
  const existing = await inspectKeys(config.stateDir);
  const keys = existing?.keys ?? temporaryKeys();
  const pems = await TlsFiles.readOnce(config.tls);
  const enrolToken = config.enrolToken ?? (await readEnrolToken(config.stateDir));
  const probeWith = (token: string | undefined) =>
    probe(
      {
        ...config,
        version,
        keys,
        enrolToken: token,
        tls: tlsOptionsOf(pems, config.tls.pins),
      },
      signal,
    );
  // As the client does, sends the enrolment token only if the key is new, or if the server asks for
  // enrolment.
  let outcome = await probeWith(existing === null ? (enrolToken ?? undefined) : undefined);
  if (existing !== null && enrolToken !== null && asksToEnrol(outcome.code)) {
    outcome = await probeWith(enrolToken);
  }
  return outcome.answer
    ? acceptedFinding(outcome.answer)
    : refusedFinding(outcome, { id: config.id, enrolToken });
}

type EnrolmentConfig = Pick<ClientConfig, "id" | "enrolToken">;

function asksToEnrol(code: ErrorCode | undefined): boolean {
  return code !== undefined && meaningOf(code).asksToEnrol === true;
}

/**
 * Descriptions of the server's optional features, for people. The key is the feature's name in the protocol.
 */
const ABILITIES: Record<string, string> = {
  [FEATURES.list]: "look into folders",
  [FEATURES.set]: "ask for many files at once",
};

function acceptedFinding({ enrols, connected, features = [] }: Probed): Finding {
  const abilities = features.flatMap((feature) => ABILITIES[feature] ?? []);
  const abilitiesText = abilities.length === 0 ? "" : `; the server can ${abilities.join(" and ")}`;
  if (enrols) return { status: "ok", text: `the client may enrol when it starts${abilitiesText}` };
  const connectionState = connected ? "is connected now" : "is not connected now";
  const text = `the server knows this client, which ${connectionState}${abilitiesText}`;
  if (connected) return { status: "ok", text };
  return { status: "ok", text, advice: "if it should run, start it and look into its log" };
}

function refusedFinding(
  { code, reason }: ProbeOutcome,
  { id, enrolToken }: EnrolmentConfig,
): Finding {
  if (code === "protocol_error") {
    return {
      status: "not_needed",
      text: "this server is older, and cannot tell without a registration",
      advice: `start the client: its log says "registered as ${id}", or why not`,
    };
  }
  return {
    status: "wrong",
    // Removes the error code at the start of the reason, because the text is for people.
    text: `the server refuses: ${reason.replace(/^[a-z_]+: /, "")}`,
    ...adviceFor(code, id, enrolToken !== null),
  };
}

function adviceFor(
  code: ErrorCode | undefined,
  id: string,
  hasToken: boolean,
): Pick<Finding, "advice"> {
  const replaceCommand = `fds enroll create NAME --id ${id} --replace`;
  switch (code) {
    case "enrolment_required":
      return {
        advice: hasToken
          ? "ENROLL_TOKEN is wrong or used up: ask whoever runs the server for a new enrolment key"
          : `ask whoever runs the server for an enrolment key (fds enroll create NAME --id ${id}), and set it as ENROLL_TOKEN`,
      };
    case "key_mismatch":
      return {
        advice: `another machine uses this id, or this one lost its state folder: choose another id, or ask whoever runs the server for a key that takes its place (${replaceCommand}), and set it as ENROLL_TOKEN`,
      };
    case "client_revoked":
      return {
        advice: `whoever runs the server cut this client off: ask why. To come back, remove the file "key" from the state folder, and set as ENROLL_TOKEN a key that they make (${replaceCommand})`,
      };
    case "id_in_use":
      return { advice: "stop the other client of this id, or choose another id" };
    case "rate_limited":
      return { advice: "wait some minutes, and try again" };
    case "unsupported_version":
      return { advice: "bring the client and the server to the same release" };
    case undefined:
      return { advice: "check SERVER_URL; a proxy before the server must let WebSockets through" };
    default:
      return {};
  }
}
