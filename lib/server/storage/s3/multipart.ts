import { S3Error } from "./error.ts";
import { etagOf, headersOf, md5Of, type NewObject, type Objects } from "./objects.ts";
import { elementsOf, escaped, valueOf } from "./xml.ts";

/** A multipart upload of S3. The object is visible only after the upload is completed. */
export interface Upload {
  key: string;
  uploadId: string;
}

/** The range of an object that is copied: from `start` up to but not including `end`. */
export interface Source {
  key: string;
  etag: string;
  /** Size of the whole object to copy from, in bytes. */
  size: number;
  start: number;
  end: number;
}

/** Multipart uploads. The methods throw S3Error. */
export class Multipart {
  constructor(private readonly objects: Objects) {}

  async create(key: string, newObject: Pick<NewObject, "downloadId">): Promise<Upload> {
    const { bucket, patience } = this.objects;
    const query = { uploads: "" };
    const { bytes } = await bucket.ask(
      { method: "POST", key, query, headers: headersOf(newObject) },
      patience,
    );
    const uploadId = valueOf(new TextDecoder().decode(bytes), "UploadId");
    if (uploadId === null) throw new S3Error("an upload has no id", null);
    return { key, uploadId };
  }

  /**
   * Stores one part of an upload.
   * @param partNumber number of the part, from 1
   * @returns the part's ETag
   */
  async put(
    { key, uploadId }: Upload,
    partNumber: number,
    body: Uint8Array<ArrayBuffer>,
  ): Promise<string> {
    const { bucket, patience } = this.objects;
    const md5 = await md5Of(body);
    const headers = { "content-md5": md5.toString("base64") };
    const query = { partNumber: String(partNumber), uploadId };
    return bucket.retry(async () => {
      const answer = await bucket.ask({ method: "PUT", key, query, headers, body }, patience);
      return etagOf(answer, md5.toString("hex"));
    }, patience);
  }

  /**
   * Makes one part of an upload by copying a range of another object inside S3.
   * @returns the part's ETag
   */
  async copy({ key, uploadId }: Upload, partNumber: number, source: Source): Promise<string> {
    const { start, end, size } = source;
    const isWhole = start === 0 && end === size;
    const headers = {
      "x-amz-copy-source": this.objects.bucket.copySource(source.key),
      "x-amz-copy-source-if-match": source.etag,
      ...(!isWhole && { "x-amz-copy-source-range": `bytes=${start}-${end - 1}` }),
    };
    const query = { partNumber: String(partNumber), uploadId };
    const xml = await this.objects.askForText({ method: "PUT", key, query, headers });
    const etag = valueOf(xml, "ETag");
    if (etag === null) throw new S3Error("a copied part has no ETag", null);
    return etag;
  }

  /**
   * Returns the ETags of an upload's stored parts, at most 1,000. Parts after a missing one are left out.
   * @returns null if the upload no longer exists
   */
  async parts({ key, uploadId }: Upload): Promise<string[] | null> {
    const { bucket, patience } = this.objects;
    try {
      const request = { method: "GET", key, query: { uploadId } } as const;
      const { bytes } = await bucket.ask(request, patience);
      const parts = elementsOf(new TextDecoder().decode(bytes), "Part");
      const numbers = parts.map((part) => Number(valueOf(part, "PartNumber")));
      const gap = numbers.findIndex((number, n) => number !== n + 1);
      const first = gap < 0 ? parts : parts.slice(0, gap);
      return first.map((part) => valueOf(part, "ETag") ?? "");
    } catch (error) {
      if (error instanceof S3Error && error.status === 404) return null;
      throw error;
    }
  }

  /** Completes an upload. The object then appears as a whole, or not at all. */
  async complete({ key, uploadId }: Upload, etags: string[], newObject: NewObject): Promise<void> {
    const { onlyIfNew = false } = newObject;
    const parts = etags.map(
      (etag, n) => `<Part><PartNumber>${n + 1}</PartNumber><ETag>${escaped(etag)}</ETag></Part>`,
    );
    const xml = `<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`;
    const request = { key, query: { uploadId }, headers: headersOf({ onlyIfNew }) };
    await this.objects.postXml(request, xml);
  }

  /** Aborts an upload and removes its parts. It is no error if the upload does not exist. */
  async abort({ key, uploadId }: Upload): Promise<void> {
    const { bucket, patience } = this.objects;
    try {
      await bucket.ask({ method: "DELETE", key, query: { uploadId } }, patience);
    } catch (error) {
      if (!(error instanceof S3Error && error.status === 404)) throw error;
    }
  }
}

/** Parses the JSON of an {@link Upload}; null if fields are missing. */
export function uploadIn(text: string): Upload | null {
  const { key, uploadId }: Partial<Upload> = JSON.parse(text);
  return key === undefined || uploadId === undefined ? null : { key, uploadId };
}
