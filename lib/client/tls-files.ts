import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { UsageError } from "../util/flags.ts";
import type { Logger } from "../util/logger.ts";

/** Paths of the PEM files that the settings name. */
export interface TlsPaths {
  /** Certificates of the CAs that may sign the server's certificate; null for the system's trusted CAs. */
  ca: string | null;
  /** The client's own certificate. Certificate and key are given together, or both are null. */
  cert: string | null;
  key: string | null;
}

/** The contents of the PEM files that the settings name. */
export interface TlsPems {
  ca?: string;
  cert?: string;
  key?: string;
}

/**
 * The PEM files for TLS. They are read again for each connection, so a renewed certificate needs no restart.
 * If a file cannot be used during a renewal, its last good contents are used.
 */
export class TlsFiles {
  private constructor(
    private readonly paths: TlsPaths,
    private pems: TlsPems,
  ) {}

  /** Reads the files for the first time. @throws UsageError when a file cannot be used */
  static async open(paths: TlsPaths): Promise<TlsFiles> {
    const files = new TlsFiles(paths, {});
    files.pems = { ...(await files.#readAuthorities()), ...(await files.#readOwnCertificate()) };
    return files;
  }

  /** Returns the files' present contents. @throws UsageError when a file cannot be used */
  static async readOnce(paths: TlsPaths): Promise<TlsPems> {
    return (await TlsFiles.open(paths)).pems;
  }

  /**
   * Reads the files again. If a file cannot be used, this is logged, and the file's last good contents are
   * returned.
   */
  async read(logger: Logger): Promise<TlsPems> {
    for (const group of [() => this.#readAuthorities(), () => this.#readOwnCertificate()]) {
      try {
        this.pems = { ...this.pems, ...(await group()) };
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        logger.error(`${why}; the contents that were read before are used`);
      }
    }
    return this.pems;
  }

  async #readAuthorities(): Promise<TlsPems> {
    const { ca } = this.paths;
    return ca === null ? {} : checkUsable({ ca: await readPem("TLS_CA", ca) }, `TLS_CA "${ca}"`);
  }

  async #readOwnCertificate(): Promise<TlsPems> {
    const { cert, key } = this.paths;
    if (cert === null || key === null) return {};
    const pems = {
      cert: await readPem("TLS_CLIENT_CERT", cert),
      key: await readPem("TLS_CLIENT_KEY", key),
    };
    return checkUsable(pems, `TLS_CLIENT_CERT "${cert}" with TLS_CLIENT_KEY "${key}"`);
  }
}

/**
 * Reads a PEM file.
 * @throws UsageError if the file cannot be read, holds no PEM, or is cut off within a PEM block
 */
async function readPem(setting: string, path: string): Promise<string> {
  try {
    const text = await readFile(path, "utf8");
    const count = (word: string) => text.split(`-----${word} `).length - 1;
    // Checked here, because the runtime treats an empty text as a missing setting, and silently drops a PEM
    // block that is cut off.
    if (count("BEGIN") === 0) throw new Error("no PEM is in it");
    if (count("BEGIN") !== count("END")) throw new Error("it ends too early");
    return text;
  } catch (cause) {
    throw unusableError(`${setting} "${path}"`, cause);
  }
}

/**
 * Checks that the runtime accepts the PEMs.
 * @throws UsageError if a PEM is invalid, or if key and certificate do not match
 */
function checkUsable(pems: TlsPems, name: string): TlsPems {
  try {
    createSecureContext(pems);
    return pems;
  } catch (cause) {
    throw unusableError(name, cause);
  }
}

function unusableError(name: string, cause: unknown): UsageError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new UsageError(`check ${name}, it cannot be used (${why})`, { cause });
}
