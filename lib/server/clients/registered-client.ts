import type { Probed } from "../../protocol/messages.ts";

/** What a session knows of its client. */
export interface RegisteredClient {
  clientId: string;
  keyHash: string;
  /** Most bytes in a frame, as agreed by both sides. */
  chunkSize: number;
  connectedAt: number;
  /** Its abilities beyond single files; see FEATURES of the protocol. */
  features: ReadonlySet<string>;
}

/** The answer to a client that asked whether it may register. */
export type ProbeAnswer = Pick<Probed, "version" | "enrols" | "connected">;
