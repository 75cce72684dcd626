import * as z from "zod";
import type { Check, Finding } from "../../util/checkup.ts";
import type { ClientConfig } from "../config.ts";
import { TlsFiles } from "../tls-files.ts";

type ConnectionConfig = Pick<ClientConfig, "serverUrl" | "proxy" | "tls">;

/**
 * Largest difference, in ms, between this machine's clock and the server's at which this machine's clock
 * still counts as right.
 */
const MAX_SKEW_MS = 60_000;

/**
 * How long, in ms, the server may take to answer one request. This is less than the time limit of the whole
 * check.
 */
const REQUEST_TIMEOUT_MS = 4_000;

/** Maximum number of characters of an unknown server's answer that are shown. */
const MAX_QUOTED_CHARS = 200;

/** The fields of the `GET /health` answer that are used. A newer server may send more. */
const Health = z.object({ status: z.string(), version: z.string().max(255) });

/** An HTTP answer of whatever server runs at the configured address. */
interface Answer {
  status: number;
  type: string;
  location: string | null;
  /** The time in the answer's Date header, in ms since 1970; null if there is none. */
  date: number | null;
  text: string;
}

/** The doctor's checks of the server's health, and of this machine's clock against the server's. */
export class ServerChecks {
  #answer: Answer | undefined;
  #isSilent = false;

  constructor(
    private readonly config: ConnectionConfig,
    private readonly version: string,
  ) {}

  /**
   * The check of this machine's clock. It precedes the check of TLS, because with a wrong clock a valid
   * certificate looks expired.
   */
  get clock(): Check {
    const needs = ["connection", "proxy"];
    return { name: "clock", needs, run: (signal) => this.#checkClock(signal) };
  }

  get server(): Check {
    return {
      name: "server",
      needs: ["connection", "proxy", "TLS"],
      run: () => this.#checkServer(),
    };
  }

  async #checkClock(signal: AbortSignal): Promise<Finding> {
    const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    this.#answer = await this.#requestHealth(AbortSignal.any([signal, timeout])).catch(
      () => undefined,
    );
    this.#isSilent = timeout.aborted;
    const date = this.#answer?.date ?? null;
    if (date === null) return { status: "not_needed", text: "the server tells no time" };
    // The result can be wrong by up to a second, because the Date header contains whole seconds only.
    const skew = Date.now() - date;
    const text = `${skew < 0 ? "behind" : "ahead of"} the server's`;
    const seconds = Math.round(Math.abs(skew) / 1000);
    if (Math.abs(skew) <= MAX_SKEW_MS) {
      return { status: "ok", text: seconds <= 2 ? "as the server's" : `${seconds} s ${text}` };
    }
    return {
      status: "wrong",
      text: `${durationText(seconds)} ${text}`,
      advice: "set this machine's clock, and let it be set by the network (NTP)",
    };
  }

  #checkServer(): Finding {
    const answer = this.#answer;
    const advice = "check SERVER_URL";
    if (!answer) {
      const text = this.#isSilent
        ? `what is there says nothing in ${REQUEST_TIMEOUT_MS / 1000} s`
        : "what answers there does not speak HTTP";
      const isPlain = this.config.serverUrl.protocol === "ws:";
      const tlsAdvice = `${advice}: with TLS it begins with https://`;
      return { status: "wrong", text, advice: isPlain ? tlsAdvice : advice };
    }
    const { status, location, type } = answer;
    if (location !== null) {
      const text = `the answer leads to "${location.slice(0, MAX_QUOTED_CHARS)}"`;
      return {
        status: "wrong",
        text,
        advice: `${advice}, or sign in to this network in a browser`,
      };
    }
    const health = healthOf(answer);
    if (health && status === 200) return this.#describeWorking(health.version);
    if (status >= 500) {
      return {
        status: "wrong",
        text: `it answers ${status}: it, its database or its storage is away`,
        advice: "tell whoever runs the server; the client goes on by itself once it is back",
      };
    }
    if (status >= 400) {
      const text = `it answers ${status} when it is asked for /health, and tells nothing of itself`;
      return { status: "not_needed", text };
    }
    return {
      status: "wrong",
      text: `another program answers there (${status}, ${type || "of no type"})`,
      advice:
        "if this network has a sign-in page, open a browser and sign in; else check SERVER_URL",
    };
  }

  #describeWorking(version: string): Finding {
    const text = `it works, version ${version}`;
    if (version === this.version) return { status: "ok", text };
    return { status: "ok", text: `${text}; this client is ${this.version}` };
  }

  /**
   * Requests /health without sending any secret. The server's certificate is not verified here, because a
   * later check does so.
   */
  async #requestHealth(signal: AbortSignal): Promise<Answer> {
    const { serverUrl, proxy, tls } = this.config;
    const url = new URL(serverUrl);
    url.protocol = url.protocol.replace("ws", "http");
    url.pathname = url.pathname.replace(/ws$/, "health");
    const pems = await TlsFiles.readOnce(tls);
    const response = await fetch(url, {
      redirect: "manual",
      signal,
      ...(url.protocol === "https:" && { tls: { ...pems, rejectUnauthorized: false } }),
      // Without the option `proxy`, fetch would choose a proxy from the environment, by other rules than the
      // client.
      proxy: proxy === null ? false : { url: proxy, respectNoProxy: false },
    });
    const date = Date.parse(response.headers.get("Date") ?? "");
    return {
      status: response.status,
      type: response.headers.get("Content-Type") ?? "",
      location: response.headers.get("Location"),
      date: Number.isNaN(date) ? null : date,
      text: await beginningOf(response),
    };
  }
}

/**
 * Maximum number of characters of an answer that are read, because an unknown server may send data endlessly.
 */
const MAX_BODY = 64 * 1024;

async function beginningOf({ body }: Response): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const bytes of body ?? []) {
    text += decoder.decode(bytes, { stream: true });
    if (text.length > MAX_BODY) break;
  }
  return text;
}

function healthOf({ text }: Answer): z.infer<typeof Health> | null {
  try {
    return Health.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

function durationText(seconds: number): string {
  if (seconds < 2 * 60) return `${seconds} s`;
  if (seconds < 2 * 3_600) return `${Math.round(seconds / 60)} minutes`;
  if (seconds < 2 * 86_400) return `${Math.round(seconds / 3_600)} hours`;
  return `${Math.round(seconds / 86_400)} days`;
}
