import { Proxy } from "../../support/proxy.ts";

/*
 * A link to a port of 127.0.0.1. Arguments: the port, bytes a second, ms of delay each way. Says
 * its own port, and, whenever it is asked, how many bytes were sent into it.
 */

const [targetPort = 0, bytesPerSecond = 0, delay = 0] = process.argv.slice(2).map(Number);

const proxy = await Proxy.listen(targetPort);
proxy.shape({ bytesPerSecond, delay });
process.on("message", () => process.send?.(proxy.sent));
process.send?.(Number(new URL(proxy.url).port));
