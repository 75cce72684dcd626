import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { UsageError } from "../util/flags.ts";
import type { Logger } from "../util/logger.ts";

/** Paths of PEM files, by the settings that name them. */
export interface TlsPaths {
  /** Who signs the server's certificate; null: whoever the system trusts. */
  ca: string | null;
  /** The client's own certificate; there with its key, or not at all. */
  cert: string | null;
  key: string | null;
}

/** The contents of the files that there are. */
export interface TlsPems {
  ca?: string;
  cert?: string;
  key?: string;
}

/**
 * The PEM files of TLS, read anew for each connection, so that a renewal needs no restart. While it
 * is under way a file is gone, cut short, or a certificate without its key: then what was read
 * before is used.
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

  /** What is in the files now. @throws UsageError when one cannot be used */
  static async readOnce(paths: TlsPaths): Promise<TlsPems> {
    return (await TlsFiles.open(paths)).pems;
  }

  /** What can be used now; what cannot is told. */
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

/** @throws UsageError when it cannot be read, holds nothing, or ends within a certificate or key */
async function readPem(setting: string, path: string): Promise<string> {
  try {
    const text = await readFile(path, "utf8");
    const count = (word: string) => text.split(`-----${word} `).length - 1;
    // The runtime takes nothing for no setting, and of a list that is cut short it forgets the last.
    if (count("BEGIN") === 0) throw new Error("no PEM is in it");
    if (count("BEGIN") !== count("END")) throw new Error("it ends too early");
    return text;
  } catch (cause) {
    throw unusable(`${setting} "${path}"`, cause);
  }
}

/** @throws UsageError when the runtime cannot use them, alone or together */
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
