import type { Endpoint } from "./endpoint.ts";

const lastEventId = {
  "Last-Event-ID":
    "The id of the last event that was read: the latest 10,000 ends of downloads since then are told of. The answer begins with an id of its own, from which on no end is missed",
};

/** REST calls that stream events. Each answers with server-sent events. */
export const eventEndpoints = {
  downloadEvents: {
    method: "GET",
    path: "/api/downloads/:download_id/events",
    summary: "One download, live: server-sent events until it has ended",
    role: "viewer",
    hasLongAnswer: true,
    headers: lastEventId,
    answers: [
      {
        status: 200,
        description:
          'Events "download", whose data is the download: as it is, at each change, and at most 10 times a second while bytes flow',
        mediaType: "text/event-stream",
      },
      { status: 204, description: "It has ended, and Last-Event-ID says that this is known" },
    ],
    errors: ["download_not_found"],
  },
  events: {
    method: "GET",
    path: "/api/events",
    summary: "All downloads, clients and jobs, live: server-sent events",
    role: "viewer",
    hasLongAnswer: true,
    headers: lastEventId,
    answers: [
      {
        status: 200,
        description:
          'Events "download", "client" and "job", whose data is the download, client or job: first every client, the jobs that have not ended and the latest that did, every download that has not ended and those that ended since Last-Event-ID, then each change',
        mediaType: "text/event-stream",
      },
    ],
    errors: [],
  },
} as const satisfies Record<string, Endpoint>;
