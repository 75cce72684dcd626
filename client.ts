/** A site's program: dials out to the server, stays connected, and sends the files it is asked for. */
import { existsSync } from "node:fs";
import { CLIENT_HELP, type ClientConfig, readClientConfig } from "./lib/client/config.ts";
import { loadOrCreateKey } from "./lib/client/key.ts";
import { stayConnected } from "./lib/client/reconnect.ts";
import { Roots } from "./lib/client/roots.ts";
import { Logger } from "./lib/util/logger.ts";
import { TokenBucket } from "./lib/util/token-bucket.ts";
import { runService } from "./lib/util/service.ts";
import { version } from "./package.json";

await runService(async () => {
  const isTerminal = process.stdout.isTTY ?? false;
  const config = readClientConfig(process.argv.slice(2), process.env, isTerminal, existsSync);
  return config === "help" ? CLIENT_HELP : start(config);
});

async function start(config: ClientConfig) {
  const { id, serverUrl, chunkSize, enrollToken, proxy, tls } = config;
  const logger = new Logger({ level: config.logLevel, format: config.logFormat });
  const roots = await Roots.open(config.roots);
  const key = await loadOrCreateKey(config.stateDir);
  const stopping = new AbortController();
  const connected = stayConnected(
    {
      id,
      serverUrl,
      key,
      enrollToken,
      version,
      chunkSize,
      rateLimit: new TokenBucket(config.rateLimit),
      roots,
      proxy,
      tls: {
        ...(tls.ca && { ca: Bun.file(tls.ca) }),
        ...(tls.cert && { cert: Bun.file(tls.cert) }),
        ...(tls.key && { key: Bun.file(tls.key) }),
      },
      logger,
    },
    stopping.signal,
  );
  return {
    logger,
    async stop() {
      stopping.abort();
      await connected;
    },
  };
}
