import { ApiClient } from "../../lib/cli/rest/api-client.ts";

type ScriptedAnswer = (request: Request) => Response | Promise<Response>;

/** Starts an HTTP server that gives these answers in order, then repeats the last one. */
export function scriptedRest(...answers: ScriptedAnswer[]) {
  const requests: {
    method: string;
    path: string;
    token: string | null;
    lastEventId: string | null;
    body: string;
  }[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      const answer = answers[Math.min(requests.length, answers.length - 1)];
      requests.push({
        method: request.method,
        path: pathname + search,
        token: request.headers.get("authorization"),
        lastEventId: request.headers.get("last-event-id"),
        body: await request.text(),
      });
      return answer?.(request) ?? new Response(null, { status: 404 });
    },
  });
  return {
    requests,
    api: new ApiClient({ server: `http://127.0.0.1:${server.port}`, token: "secret" }),
    port: server.port,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

/** Makes an answer with a JSON body. */
export const json =
  (body: unknown, status = 200) =>
  () =>
    Response.json(body, { status });
