import * as z from "zod";
import { parseSelector, SelectorError } from "./selector.ts";

/** A label selector in a request. The text must be valid. */
export const SelectorText = z
  .string()
  .superRefine((text, context) => {
    try {
      parseSelector(text);
    } catch (error) {
      if (!(error instanceof SelectorError)) throw error;
      context.addIssue({ code: "custom", message: error.message });
    }
  })
  .meta({ description: "as Kubernetes has them: region=west,tier!=test,size in (s,m),!closed" });
