import { JobAccepted, JobRecord, type NewJob } from "../../lib/api/jobs.ts";
import { DownloadList, type DownloadRecord } from "../../lib/api/schemas.ts";
import { type ServerMessage, SUBPROTOCOL } from "../../lib/protocol/messages.ts";
import { completeMessage, frame, REGISTER, type Request, startMessage } from "./scripted-client.ts";
import { API_TOKEN, ENROLL_TOKEN } from "./system.ts";
import { waitFor } from "./wait.ts";

/**
 * How a site answers a download request: it sends the file, keeps the request unanswered, or reports an
 * error.
 */
export type Answer = "deliver" | "hold" | "refuse";

/** Delay before a site connects again, in ms. */
const RECONNECT_MS = 50;

/** Returns the content of a site's file, which differs for each client id. */
export const contentOf = (clientId: string) =>
  new TextEncoder().encode(`the file of ${clientId}\n`);

/** A simulated site. It answers download requests as {@link Answer} says, and connects again after a cut. */
export class FleetSite {
  /** Download requests that were received and not answered yet. */
  readonly held: Request[] = [];
  /** The number of download requests received. */
  asked = 0;
  /** Delay before each answer, in ms. */
  takes = 0;
  #socket: WebSocket | undefined;
  #isRegistered = false;
  #isGone = false;

  constructor(
    private readonly url: string,
    readonly clientId: string,
    public answer: Answer = "deliver",
    private readonly fields: object = {},
  ) {
    this.#connect();
  }

  get isRegistered(): boolean {
    return this.#isRegistered;
  }

  /** Answers all held requests in this way, and all later requests too. */
  go(answer: Answer): void {
    this.answer = answer;
    for (const request of this.held.splice(0)) this.#answer(request);
  }

  leave(): void {
    this.#isGone = true;
    this.#socket?.close();
  }

  #connect(): void {
    if (this.#isGone) return;
    const socket = new WebSocket(`${this.url.replace("http", "ws")}/ws`, {
      protocols: [SUBPROTOCOL],
      perMessageDeflate: false,
    });
    this.#socket = socket;
    const key = `the key of ${this.clientId}`;
    const register = { ...REGISTER, client_id: this.clientId, key, enroll_token: ENROLL_TOKEN };
    socket.addEventListener("open", () => this.#send({ ...register, ...this.fields }));
    socket.addEventListener("message", ({ data }) =>
      this.#heard(JSON.parse(String(data)) as ServerMessage),
    );
    socket.addEventListener("close", () => {
      this.#isRegistered = false;
      this.held.length = 0;
      setTimeout(() => this.#connect(), RECONNECT_MS);
    });
    socket.addEventListener("error", () => undefined);
  }

  #heard(message: ServerMessage): void {
    if (message.type === "registered") this.#isRegistered = true;
    if (message.type !== "download_request") return;
    this.asked++;
    if (this.takes > 0) setTimeout(() => this.#answer(message), this.takes);
    else this.#answer(message);
  }

  #answer(request: Request): void {
    if (this.answer === "hold") {
      this.held.push(request);
      return;
    }
    const { stream, epoch } = request;
    if (this.answer === "refuse") {
      return this.#send({ type: "error", stream, epoch, code: "file_not_found", message: "no" });
    }
    const bytes = contentOf(this.clientId);
    this.#send(startMessage(request, bytes));
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(frame(request, 0, bytes));
    this.#send(completeMessage(request, bytes));
  }

  #send(message: object): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }
}

/** Simulated sites of one server, with methods that call its REST API. */
export class Fleet implements AsyncDisposable {
  readonly sites = new Map<string, FleetSite>();

  constructor(
    readonly url: string,
    private readonly token = API_TOKEN,
  ) {}

  /**
   * Connects sites, and waits until all are registered.
   * @param fields added to the message that registers each site
   */
  async join(clientIds: readonly string[], answer: Answer = "deliver", fields: object = {}) {
    const sites = clientIds.map((id) => new FleetSite(this.url, id, answer, fields));
    for (const site of sites) this.sites.set(site.clientId, site);
    await waitFor(() => sites.every((site) => site.isRegistered), "the sites to register");
    return sites;
  }

  site(clientId: string): FleetSite {
    const site = this.sites.get(clientId);
    if (!site) throw new Error(`there is no site "${clientId}"`);
    return site;
  }

  /** Makes all sites answer held and later requests in this way. */
  go(answer: Answer): void {
    for (const site of this.sites.values()) site.go(answer);
  }

  async call(
    method: string,
    path: string,
    body?: unknown,
    { token = this.token, headers = {} }: { token?: string; headers?: Record<string, string> } = {},
  ) {
    const response = await fetch(`${this.url}/api/${path}`, {
      method,
      headers: { Authorization: `Bearer ${token}`, ...headers },
      ...(body !== undefined && {
        body: typeof body === "string" ? body : JSON.stringify(body),
      }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  /** Creates a job for all clients. @param order fields that replace the defaults @returns the job's id */
  async makeJob(order: Partial<NewJob>): Promise<string> {
    const body = { clients: { all: true }, download: { file_path: "a.txt" }, ...order };
    const answer = await this.call("POST", "jobs", body);
    if (answer.status !== 202) throw new Error(JSON.stringify(answer));
    return JobAccepted.parse(answer.body).job_id;
  }

  async job(jobId: string, token?: string): Promise<JobRecord> {
    const { body } = await this.call("GET", `jobs/${jobId}`, undefined, {
      ...(token && { token }),
    });
    return JobRecord.parse(body);
  }

  /** Waits until a job satisfies a condition. @param what names the condition in the error of a timeout */
  jobThatIs(jobId: string, is: (job: JobRecord) => boolean, what: string): Promise<JobRecord> {
    return waitFor(async () => {
      const job = await this.job(jobId);
      return is(job) ? job : null;
    }, what);
  }

  ended(jobId: string): Promise<JobRecord> {
    return this.jobThatIs(jobId, ({ ended_at }) => ended_at !== null, "the job to end");
  }

  async downloadsOf(jobId: string): Promise<DownloadRecord[]> {
    const { body } = await this.call("GET", `downloads?job_id=${jobId}&limit=1000`);
    return DownloadList.parse(body).downloads;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const site of this.sites.values()) site.leave();
  }
}

/** Returns the client ids `site-1`, `site-2` and so on. */
export const idsOf = (count: number) => Array.from({ length: count }, (_, n) => `site-${n + 1}`);

/** Returns the counts of a job's downloads by status, without zeros. */
export const countsOf = ({ counts }: JobRecord) =>
  Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
