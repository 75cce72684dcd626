import { howToRun, installedNote } from "../../util/build.ts";
import { type Check, examine, type Report } from "../../util/checkup.ts";
import type { ClientConfig } from "../config.ts";
import { networkChecks } from "./network.ts";
import { registrationCheck } from "./registration.ts";
import { ServerChecks } from "./server.ts";
import { siteChecks } from "./site.ts";
import { tlsChecks } from "./tls.ts";

/** The client's configuration to be examined. */
export interface GivenConfig {
  config: ClientConfig;
  /** Path of the settings file; null if there is none. */
  file: string | null;
  /** Path of the settings file, if it contains a secret; else null. */
  secretFile: string | null;
}

export const DOCTOR_HELP = `Usage: ${howToRun("client")} doctor [--json] [flags of the client]

Says what keeps this client from working: one line for each thing that is looked at, ✓ where it is
well, ✗ where it is not, with what to do. Nothing is changed, and a client that runs goes on. Takes
the client's flags and environment. Run it as the user that the client runs as, or as root: then it
becomes the user to whom the state folder belongs.
${installedNote("client")}
  --json
      one JSON: {"ok": false, "checks": [{"name": "…", "status": "wrong", "text": "…", "advice": "…"}]};
      a status is ok, wrong, not_needed or not_tried

Exits 0 where all is well, 1 where something is wrong, 2 for a wrong flag.
`;

/**
 * Examines whether a client can work, and reports what is wrong. Changes nothing, and does not disturb a
 * running client.
 * @param readConfig reads the configuration as the client does
 * @returns true if nothing is wrong
 * @throws any error of `readConfig` that is not a UsageError
 */
export function examineClient(
  readConfig: () => GivenConfig,
  version: string,
  report: Report,
): Promise<boolean> {
  return examine(readConfig, describeConfig, (given) => checksOf(given, version), report);
}

function describeConfig({ config: { id, serverUrl }, file }: GivenConfig): string {
  const from = file === null ? "" : `, by "${file}"`;
  return `"${id}", to ${serverUrl.origin.replace(/^ws/, "http")}${from}`;
}

function checksOf({ config, secretFile }: GivenConfig, version: string): Check[] {
  const { clock, server } = new ServerChecks(config, version);
  return [
    ...siteChecks({ ...config, secretFile }),
    ...networkChecks(config),
    clock,
    ...tlsChecks(config),
    server,
    registrationCheck(config, version),
  ];
}
