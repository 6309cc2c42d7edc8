import { addFeatures, se3Linear } from "./linear.ts";
import { se3Norm } from "./norm.ts";
import type { Se3Features, Se3FeedForwardParams } from "./params.ts";

/**
 * Mixes the channels of every degree, puts their lengths through a nonlinearity and mixes them again; the features are added.
 *
 * Source: se3-transformer-pytorch.
 */
export function se3FeedForward({ prenorm, feedforward }: Se3FeedForwardParams, x: Se3Features): Se3Features {
  const hidden = se3Norm(feedforward.nonlin, se3Linear(feedforward.projectIn, se3Norm(prenorm, x)));
  return addFeatures(x, se3Linear(feedforward.projectOut, hidden));
}
