import type { JobRecord } from "../api/jobs.ts";
import type { ClientRecord, DownloadRecord } from "../api/schemas.ts";
import { type ApiProblem, EVENTS, refusalOfEvents } from "./api.ts";

/** Delay between two tries to connect, in ms, where the browser does not retry itself. */
const RECONNECT_MS = 2_000;

/**
 * How long a hidden page stays connected, in ms. A browser opens six connections to a server for all tabs
 * together: with one per tab, the seventh would wait for ever.
 */
const UNSEEN_MS = 60_000;

export interface FeedListener {
  /** Connected; the present state follows. */
  onLive(): void;
  /** The connection was closed, as the page is hidden. */
  onPaused(): void;
  /** The connection was lost, and will be made again. */
  onLost(): void;
  /** The server refused the connection. */
  onRefused(problem: ApiProblem): void;
  onDownload(download: DownloadRecord): void;
  onClient(client: ClientRecord): void;
  onJob(job: JobRecord): void;
}

/** The server's event stream, connected while somebody can see the page. */
export class Feed {
  #source: EventSource | null = null;
  #reconnecting: ReturnType<typeof setTimeout> | undefined;
  #pausing: ReturnType<typeof setTimeout> | undefined;
  #isPaused = false;

  constructor(private readonly listener: FeedListener) {
    document.addEventListener("visibilitychange", () => this.#seen());
  }

  open(): void {
    this.#close();
    const source = new EventSource(EVENTS);
    this.#source = source;
    source.addEventListener("open", () => this.listener.onLive());
    source.addEventListener("error", () => void this.#failed(source));
    source.addEventListener("download", ({ data }) => this.listener.onDownload(JSON.parse(data)));
    source.addEventListener("client", ({ data }) => this.listener.onClient(JSON.parse(data)));
    source.addEventListener("job", ({ data }) => this.listener.onJob(JSON.parse(data)));
  }

  #close(): void {
    clearTimeout(this.#reconnecting);
    this.#source?.close();
    this.#source = null;
  }

  #seen(): void {
    clearTimeout(this.#pausing);
    if (document.visibilityState === "hidden") {
      if (this.#source) this.#pausing = setTimeout(() => this.#pause(), UNSEEN_MS);
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
    // The browser reconnects by itself after a lost connection, but not after another kind of answer.
    if (source.readyState !== EventSource.CLOSED) return this.listener.onLost();
    const refusal = await refusalOfEvents();
    if (source !== this.#source) return;
    if (refusal) this.listener.onRefused(refusal);
    else this.listener.onLost();
    this.#reconnecting = setTimeout(() => this.open(), RECONNECT_MS);
  }
}
