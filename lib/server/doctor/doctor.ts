import { howToRun, installedNote } from "../../util/build.ts";
import { type Check, examine, type Report } from "../../util/checkup.ts";
import type { ServerConfig } from "../config.ts";
import { certificateCheck } from "./certificate.ts";
import { dataChecks, type Lookers } from "./data.ts";
import { ServiceChecks } from "./service.ts";

export const DOCTOR_HELP = `Usage: ${howToRun("server")} doctor [--json] [flags of the server]

Says what keeps this server from working, and which sites were not seen for a day: one line for each
thing that is looked at, ✓ where it is well, ✗ where it is not, with what to do. Nothing is changed,
and a server that runs goes on. Run it on the server's machine, with the server's flags and
environment, as the user that it runs as, or as root: then it becomes the user to whom the folder of
downloads belongs.
${installedNote("server")}
  --json
      one JSON: {"ok": false, "checks": [{"name": "…", "status": "wrong", "text": "…", "advice": "…"}]};
      a status is ok, wrong, not_needed or not_tried

Exits 0 where all is well, 1 where something is wrong, 2 for a wrong flag.
`;

/** The configuration that the doctor checks. */
export interface GivenConfig {
  config: ServerConfig;
  /** Path of the file of settings; null: there is none. */
  file: string | null;
  /** Path of the file of settings, if that contains a secret; null otherwise. */
  secretFile: string | null;
}

/**
 * Checks what is wrong with a server. Nothing is changed, and a running server continues.
 * @param readConfig reads the configuration in the same way as the server
 * @param lookers try out the database and the bucket
 * @returns true: nothing is wrong
 * @throws whatever `readConfig` throws, except a UsageError, which is reported
 */
export function examineServer(
  readConfig: () => GivenConfig,
  lookers: Lookers,
  report: Report,
): Promise<boolean> {
  return examine(readConfig, settingsOf, (given) => checksOf(given, lookers), report);
}

function settingsOf({ config: { host, port, tls }, file }: GivenConfig): string {
  const from = file === null ? "" : `, by "${file}"`;
  return `${tls ? "https" : "http"}, to listen on ${host}, port ${port}${from}`;
}

function checksOf(given: GivenConfig, lookers: Lookers): Check[] {
  const { config } = given;
  const { port, sites } = new ServiceChecks(config);
  const { user, folder, disk, database, clock } = dataChecks(given, lookers);
  return [user, folder, disk, database, clock, certificateCheck(config), port, sites];
}
