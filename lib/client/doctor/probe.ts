import { codeOfClose, type ErrorCode } from "../../protocol/errors.ts";
import { type ClientMessage, parseServerMessage, type Probed } from "../../protocol/messages.ts";
import { describeClose } from "../connection.ts";
import { describeAnswer, dial, type DialOptions } from "../dial.ts";
import { introductionOf, type IntroductionOptions } from "../introduction.ts";

/** The result of a probe: the server's answer, or the reason why there is none. */
export interface ProbeOutcome {
  answer: Probed | null;
  reason: string;
  /** The server's error code; undefined if the server gave none. */
  code: ErrorCode | undefined;
}

/**
 * Asks the server whether this client could register. Changes nothing, and does not disturb a connected
 * client.
 */
export function probe(
  options: DialOptions & IntroductionOptions,
  signal: AbortSignal,
): Promise<ProbeOutcome> {
  const ended = Promise.withResolvers<ProbeOutcome>();
  const end = (reason: string, code?: ErrorCode, answer: Probed | null = null) =>
    ended.resolve({ answer, reason, code });
  const socket = dial(options);
  const message: ClientMessage = { type: "probe", ...introductionOf(options) };
  socket
    .on("open", () => socket.send(JSON.stringify(message)))
    .on("message", (data) => {
      try {
        const answer = parseServerMessage(data.toString());
        if (answer.type === "probed") return end("", undefined, answer);
        end("the server answered something else");
      } catch (error) {
        end(error instanceof Error ? error.message : String(error));
      }
    })
    .on("unexpected-response", (_, answer) => end(describeAnswer(answer)))
    .on("error", (error) => end(error.message || "cannot connect"))
    .on("close", (code, reason) =>
      end(reason.toString() || describeClose(code), codeOfClose(code)),
    );
  signal.addEventListener("abort", () => end("no answer"));
  return ended.promise.finally(() => socket.terminate());
}
