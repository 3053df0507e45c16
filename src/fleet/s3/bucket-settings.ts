/** Owns what an S3 bucket is opened with, which is what the configuration says of it. */
import { GranaryError } from "../../errors.ts";

export type BucketSettings = {
  /** undefined: Amazon's own, by region. */
  readonly endpoint: string | undefined;
  readonly region: string;
  readonly name: string;
  /** Before every key: "" or a text that ends with "/". */
  readonly prefix: string;
  /** undefined: from the environment, a shared profile or the machine's role, as the AWS SDK finds them. */
  readonly keys: { readonly accessKey: string; readonly secretKey: string } | undefined;
  readonly pathStyle: boolean;
};

/** Which bucket of which store, for messages: nothing of it is a secret. */
export type BucketPlace = { readonly host: string; readonly bucket: string };

/** Throws `config-invalid` when the endpoint is no http(s) address. */
export function bucketPlaceOf({ endpoint, region, name }: BucketSettings): BucketPlace {
  if (endpoint === undefined) return { host: `s3.${region}.amazonaws.com`, bucket: name };
  const url = URL.parse(endpoint);
  if (url !== null && /^https?:$/.test(url.protocol)) return { host: url.host, bucket: name };
  throw new GranaryError(
    "config-invalid",
    "The endpoint of the fleet's bucket is not an address: expected http(s)://HOST[:PORT].",
  );
}
