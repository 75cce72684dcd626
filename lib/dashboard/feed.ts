import type { JobRecord } from "../api/jobs.ts";
import type { ClientRecord, DownloadRecord } from "../api/schemas.ts";
import { type ApiProblem, EVENTS_URL, refusalOfEvents } from "./api.ts";

/**
 * How long to wait before a new connection to the event stream, in ms, if the browser does not reconnect
 * by itself.
 */
const RECONNECT_MS = 2_000;

/**
 * How long a hidden page stays connected, in ms. With HTTP/1.1, a browser opens at most six connections to a
 * server for all tabs together, so six hidden pages would block a seventh tab.
 */
const PAUSE_AFTER_MS = 60_000;

export interface FeedListener {
  /** Called each time the connection is established. The server then sends the present state as events. */
  onLive(): void;
  /** Called when the connection was closed because the page is hidden. */
  onPaused(): void;
  /** Called when the connection was lost. It is opened again automatically. */
  onLost(): void;
  /** Called when the server refused the connection. @param problem the server's answer */
  onRefused(problem: ApiProblem): void;
  onDownload(download: DownloadRecord): void;
  onClient(client: ClientRecord): void;
  onJob(job: JobRecord): void;
}

/** The server's event stream. It is connected while the page is visible. */
export class Feed {
  #source: EventSource | null = null;
  #reconnectTimer: ReturnType<typeof setTimeout> | undefined;
  #pauseTimer: ReturnType<typeof setTimeout> | undefined;
  #isPaused = false;

  constructor(private readonly listener: FeedListener) {
    document.addEventListener("visibilitychange", () => this.#visibilityChanged());
  }

  open(): void {
    this.#close();
    const source = new EventSource(EVENTS_URL);
    this.#source = source;
    source.addEventListener("open", () => this.listener.onLive());
    source.addEventListener("error", () => void this.#failed(source));
    source.addEventListener("download", ({ data }) => this.listener.onDownload(JSON.parse(data)));
    source.addEventListener("client", ({ data }) => this.listener.onClient(JSON.parse(data)));
    source.addEventListener("job", ({ data }) => this.listener.onJob(JSON.parse(data)));
  }

  #close(): void {
    clearTimeout(this.#reconnectTimer);
    this.#source?.close();
    this.#source = null;
  }

  #visibilityChanged(): void {
    clearTimeout(this.#pauseTimer);
    if (document.visibilityState === "hidden") {
      if (this.#source) this.#pauseTimer = setTimeout(() => this.#pause(), PAUSE_AFTER_MS);
    } else if (this.#isPaused) {
      this.#isPaused = false;
      this.open();
    }
  }

  #pause(): void {
    this.#isPaused = true;
    this.#close();
    this.listener.onPaused();
  }

  async #failed(source: EventSource): Promise<void> {
    if (source !== this.#source) return;
    // The browser reconnects by itself after a lost connection, but not after an error response (CLOSED).
    if (source.readyState !== EventSource.CLOSED) return this.listener.onLost();
    const refusal = await refusalOfEvents();
    if (source !== this.#source) return;
    if (refusal) this.listener.onRefused(refusal);
    else this.listener.onLost();
    this.#reconnectTimer = setTimeout(() => this.open(), RECONNECT_MS);
  }
}
