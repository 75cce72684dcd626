import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { UsageError } from "../util/flags.ts";
import type { Logger } from "../util/logger.ts";

/** Paths of PEM files, by setting. */
export interface TlsPaths {
  /** Certificates of those who may sign the server's certificate; null: those that the system trusts. */
  ca: string | null;
  /** The client's own certificate; always together with its key. */
  cert: string | null;
  key: string | null;
}

/** The contents of the files that are given. */
export interface TlsPems {
  ca?: string;
  cert?: string;
  key?: string;
}

/**
 * The PEM files for TLS, read anew for each connection, so that a renewal needs no restart. During a
 * renewal a file may be missing, cut short, or not match its key; then the last good contents are used.
 */
export class TlsFiles {
  private constructor(
    private readonly paths: TlsPaths,
    private pems: TlsPems,
  ) {}

  /** @throws UsageError when a file cannot be used */
  static async open(paths: TlsPaths): Promise<TlsFiles> {
    const files = new TlsFiles(paths, {});
    files.pems = { ...(await files.#authorities()), ...(await files.#own()) };
    return files;
  }

  /** The files' present contents. @throws UsageError when one cannot be used */
  static async readOnce(paths: TlsPaths): Promise<TlsPems> {
    return (await TlsFiles.open(paths)).pems;
  }

  /** The present contents where they can be used, else the last good ones; problems are logged. */
  async read(logger: Logger): Promise<TlsPems> {
    for (const group of [() => this.#authorities(), () => this.#own()]) {
      try {
        this.pems = { ...this.pems, ...(await group()) };
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        logger.error(`${why}; used is what was read before`);
      }
    }
    return this.pems;
  }

  async #authorities(): Promise<TlsPems> {
    const { ca } = this.paths;
    return ca === null ? {} : usable({ ca: await readPem("TLS_CA", ca) }, `TLS_CA "${ca}"`);
  }

  async #own(): Promise<TlsPems> {
    const { cert, key } = this.paths;
    if (cert === null || key === null) return {};
    const pems = {
      cert: await readPem("TLS_CLIENT_CERT", cert),
      key: await readPem("TLS_CLIENT_KEY", key),
    };
    return usable(pems, `TLS_CLIENT_CERT "${cert}" with TLS_CLIENT_KEY "${key}"`);
  }
}

/** @throws UsageError when it cannot be read, is empty, or ends within a certificate or key */
async function readPem(setting: string, path: string): Promise<string> {
  try {
    const text = await readFile(path, "utf8");
    const count = (word: string) => text.split(`-----${word} `).length - 1;
    // The runtime takes an empty text for a missing setting, and of a list that is cut short it drops the
    // last entry.
    if (count("BEGIN") === 0) throw new Error("no PEM is in it");
    if (count("BEGIN") !== count("END")) throw new Error("it ends too early");
    return text;
  } catch (cause) {
    throw unusable(`${setting} "${path}"`, cause);
  }
}

/** @throws UsageError when the runtime refuses one of the PEMs, or a key that belongs to another certificate */
function usable(pems: TlsPems, name: string): TlsPems {
  try {
    createSecureContext(pems);
    return pems;
  } catch (cause) {
    throw unusable(name, cause);
  }
}

function unusable(name: string, cause: unknown): UsageError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new UsageError(`check ${name}, it cannot be used (${why})`, { cause });
}
