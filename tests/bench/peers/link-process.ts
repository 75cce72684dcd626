import { Proxy } from "../../support/proxy.ts";

/*
 * Runs a network link, simulated by a proxy to a port of 127.0.0.1. Arguments: the port, the rate in bytes a
 * second, the delay of each direction in ms. Sends its own port to the parent process, and after each message
 * the number of bytes carried so far.
 */

const [targetPort = 0, bytesPerSecond = 0, delay = 0] = process.argv.slice(2).map(Number);

const proxy = await Proxy.listen(targetPort);
proxy.shape({ bytesPerSecond, delay });
process.on("message", () => process.send?.(proxy.sent));
process.send?.(Number(new URL(proxy.url).port));
