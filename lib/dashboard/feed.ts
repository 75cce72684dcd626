import type { ClientRecord, DownloadRecord } from "../api/schemas.ts";

/** Between two attempts to connect, in ms, where the browser does not try again by itself. */
const RECONNECT_MS = 2_000;

export interface FeedListener {
  /** The connection is there, and a picture of all that is going on follows. */
  onLive(): void;
  /** The connection is gone, and will be made again. */
  onLost(): void;
  /** The server turned the connection down: perhaps the session has ended. */
  onRefused(): void;
  onDownload(download: DownloadRecord): void;
  onClient(client: ClientRecord): void;
}

/** What the server tells of every change, by server-sent events, for as long as it is open. */
export class Feed {
  #source: EventSource | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly listener: FeedListener) {}

  open(): void {
    this.close();
    const source = new EventSource("/api/events");
    this.#source = source;
    source.addEventListener("open", () => this.listener.onLive());
    source.addEventListener("error", () => this.#failed(source));
    source.addEventListener("download", ({ data }) => this.listener.onDownload(JSON.parse(data)));
    source.addEventListener("client", ({ data }) => this.listener.onClient(JSON.parse(data)));
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  #failed(source: EventSource): void {
    if (source !== this.#source) return;
    this.listener.onLost();
    // The browser connects again after a lost connection, but not after an answer that is no feed.
    if (source.readyState !== EventSource.CLOSED) return;
    this.listener.onRefused();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.open(), RECONNECT_MS);
  }
}
