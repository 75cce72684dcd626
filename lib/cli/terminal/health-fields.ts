import type { Health } from "../../api/schemas.ts";
import { plainText } from "../../util/plain-text.ts";
import { labelled } from "./labelled.ts";
import { paint } from "./terminal.ts";
import { formatSpan } from "./times.ts";

/** How a server is, for a person. */
export function healthFields(health: Health, coloured: boolean): string[] {
  return labelled(
    {
      status: paint(`✓ ${health.status}`, "green", coloured),
      version: plainText(health.version),
      up: formatSpan(health.uptime_seconds),
      clients: `${health.connected_clients} connected`,
      downloads: `${health.active_downloads} under way`,
    },
    coloured,
  );
}
