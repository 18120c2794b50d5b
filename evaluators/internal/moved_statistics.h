// BatchNormalization statistics that follow what compression does to the values they describe.
#pragma once

#include "models/network.h"

namespace lathe::evaluators::internal {

// The uncompressed network cut to the channels that stay, with the BatchNormalization statistics of its training and with those that the
// calibration rows give it.
struct Uncompressed {
  models::Network trained, calibrated;
};

// `network` with the BatchNormalization statistics of training, moved by what compression does to them: from those of the uncompressed
// network to those of the compressed one (`measured`), both on the same calibration rows. Taking the measured ones as they are would also
// exchange what training averaged over its whole augmented data set for an estimate from a few hundred rows, which alone costs ResNet-20
// three points.
models::Network with_moved_statistics(models::Network network, const models::Network& measured, const Uncompressed& uncompressed);

}  // namespace lathe::evaluators::internal
