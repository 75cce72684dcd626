import type { ClientRecord } from "../../api/schemas.ts";
import { howToRun } from "../../util/build.ts";
import { isOlder } from "../../util/version-order.ts";
import type { ListingColumn } from "./listing.ts";
import { NAME_COLUMNS } from "./terminal.ts";
import { formatAge } from "./times.ts";

/** The text that is shown in place of an empty list of clients. */
export const NO_CLIENTS = `No client ever registered, start one with "${howToRun("client")} --id restaurant-001"`;

/** Columns of the list of clients. */
export const CLIENT_COLUMNS: ListingColumn<ClientRecord>[] = [
  {
    title: "client",
    importance: 9,
    minWidth: NAME_COLUMNS,
    shown: ({ client_id }) => client_id,
    raw: ({ client_id }) => client_id,
  },
  {
    title: "state",
    importance: 8,
    shown: ({ connected, revoked_at }) => {
      if (revoked_at !== null) return { text: "✗ revoked", colour: "red" };
      return connected
        ? { text: "● connected", colour: "green" }
        : { text: "○ offline", colour: "dim" };
    },
    raw: ({ connected, revoked_at }) =>
      revoked_at !== null ? "revoked" : connected ? "connected" : "offline",
  },
  {
    title: "active",
    right: true,
    importance: 6,
    shown: ({ active_downloads }) => String(active_downloads),
    raw: ({ active_downloads }) => active_downloads,
  },
  {
    title: "last seen",
    importance: 5,
    shown: ({ last_seen_at }) => formatAge(last_seen_at),
    raw: ({ last_seen_at }) => last_seen_at,
  },
  {
    title: "address",
    importance: 4,
    shown: ({ remote_address }) => remote_address ?? "–",
    raw: ({ remote_address }) => remote_address,
  },
  {
    title: "platform",
    importance: 3,
    shown: ({ platform }) => platform ?? "–",
    raw: ({ platform }) => platform,
  },
  {
    title: "version",
    importance: 2,
    shown: ({ version }) => version ?? "–",
    raw: ({ version }) => version,
  },
  {
    title: "host",
    importance: 1,
    shown: ({ hostname }) => hostname ?? "–",
    raw: ({ hostname }) => hostname,
  },
  {
    title: "labels",
    importance: 3.5,
    shown: ({ labels }) => labelsShown(labels) || "–",
    raw: ({ labels }) => labelsShown(labels),
  },
  {
    title: "time zone",
    importance: 0.5,
    shown: ({ time_zone }) => time_zone,
    raw: ({ time_zone }) => time_zone,
  },
];

/**
 * Returns the columns for a list in which some clients are older than the server. The version column marks
 * these clients.
 */
export function columnsOfOutdated(serverVersion: string): ListingColumn<ClientRecord>[] {
  return CLIENT_COLUMNS.map((column) =>
    column.title !== "version"
      ? column
      : {
          ...column,
          importance: 7,
          shown: (client) =>
            isOutdated(client, serverVersion)
              ? { text: `${client.version} ↑ outdated`, colour: "yellow" }
              : column.shown(client),
        },
  );
}

/**
 * Reports whether a client was older than the server when it was last connected. A revoked client does not
 * count, as it never connects again.
 */
export function isOutdated({ version, revoked_at }: ClientRecord, serverVersion: string): boolean {
  return revoked_at === null && version !== null && isOlder(version, serverVersion);
}

/** Returns labels as text: `region=west,tier=gold`. The text is also a valid selector. */
function labelsShown(labels: ClientRecord["labels"]): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
}

/** Returns the problem of a client, for a line below the client; null where there is none. */
export function clientProblemOf({ problem }: ClientRecord): string | null {
  return problem;
}
