// A folder of JPEG or PNG images. Classes come from labels.csv (a header line; columns `file` and `class`, others are ignored; files
// relative to the folder of labels.csv), else from sub-folders in alphabetical order.
#pragma once

#include <string>

#include "evaluators/dataset.h"

namespace lathe::evaluators {

struct ImageFolderOptions {
  std::string directory;
  int channels = 3;    // 1 or 3; images are converted
  int image_size = 0;  // height and width that each image must have; 0 = those of the first
  int classes = 0;     // labels must be below; 0 = any
};

// Rows in the order of labels.csv, or by class and file name. Throws UserError: no folder, no images, a bad line or label (line named),
// an image that is missing, damaged or of the wrong size (file named). Decodes on all threads of the caller's task arena.
Rows read_image_folder(const ImageFolderOptions& options);

}  // namespace lathe::evaluators
