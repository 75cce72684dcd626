import type { Health } from "../../api/schemas.ts";
import { alignedFields } from "./labelled.ts";
import { formatSpan } from "./times.ts";

/** Returns lines about the state of a server, for a terminal. */
export function healthFields(health: Health, coloured: boolean): string[] {
  return alignedFields(
    {
      status: { text: `✓ ${health.status}`, colour: "green" },
      version: health.version,
      up: formatSpan(health.uptime_seconds),
      clients: `${health.connected_clients} connected`,
      downloads: `${health.active_downloads} under way`,
    },
    coloured,
  );
}
