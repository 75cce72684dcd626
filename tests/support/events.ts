import type { ChangeEvent } from "../../lib/api/jobs.ts";
import { readEvents } from "../../lib/util/server-sent-events.ts";

/** A server-sent event as a client of the API receives it. */
export type Told = ChangeEvent & { id: string };

/** Reads the server-sent events of a response. Each is read only when a method asks for it. */
export class Listener {
  readonly #events: AsyncGenerator<{ event: string; data: string; id: string }>;
  /** All events read so far. */
  readonly heard: Told[] = [];

  constructor(readonly response: Response) {
    if (!response.body) throw new Error(`there is no body, the status is ${response.status}`);
    this.#events = readEvents(response.body);
  }

  /** Reads the next event. Null at the end of the stream. */
  async next(): Promise<Told | null> {
    const { done, value } = await this.#events.next();
    if (done) return null;
    const told: Told = { event: value.event, data: JSON.parse(value.data), id: value.id } as Told;
    this.heard.push(told);
    return told;
  }

  /** Reads up to the first event that `wanted` accepts. @throws Error if the stream ends first */
  async until(wanted: (told: Told) => boolean): Promise<Told> {
    for (let told = await this.next(); told; told = await this.next()) {
      if (wanted(told)) return told;
    }
    throw new Error(`the stream ended after ${JSON.stringify(this.heard)}`);
  }

  /** Reads to the end of the stream, and returns these events. */
  async rest(): Promise<Told[]> {
    const from = this.heard.length;
    while (await this.next());
    return this.heard.slice(from);
  }

  /** Closes the stream from the reader's side. */
  async close(): Promise<void> {
    await this.#events.return(null);
  }
}

/** Shortens an event to one word: a download's status, `client`, or `end` for the end of the stream. */
export function inShort(told: Told | null): string {
  if (!told) return "end";
  return told.event === "download" ? told.data.status : "client";
}
