import type { Probed } from "../../protocol/messages.ts";

/** The fields of a registered client that its session needs. */
export interface SessionClient {
  clientId: string;
  keyHash: string;
  /** Maximum number of bytes in a frame, as agreed between client and server. */
  chunkSize: number;
  connectedAt: number;
  /** Abilities of the client beyond sending single files; see FEATURES of the protocol. */
  features: ReadonlySet<string>;
}

/** The answer to a client that asks whether it could register. */
export type ProbeAnswer = Pick<Probed, "version" | "enrols" | "connected">;
