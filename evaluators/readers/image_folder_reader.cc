#include "evaluators/readers/image_folder_reader.h"

#include <ATen/ops/empty.h>
#include <oneapi/tbb/parallel_for.h>
#include <stb/stb_image.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>

#include "models/base/error.h"

namespace lathe::evaluators {
namespace {

namespace fs = std::filesystem;

struct LabelledFile {
  std::string path;
  std::int64_t label;
};

// Fields of one line of comma-separated text; a field may be quoted, with "" for a quote.
std::vector<std::string> csv_fields(const std::string& line) {
  std::vector<std::string> fields(1);
  bool is_quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (is_quoted && line[i] == '"' && i + 1 < line.size() && line[i + 1] == '"') {
      fields.back() += line[++i];
    } else if (line[i] == '"') {
      is_quoted = !is_quoted;
    } else if (line[i] == ',' && !is_quoted) {
      fields.emplace_back();
    } else if (line[i] != '\r') {
      fields.back() += line[i];
    }
  }
  return fields;
}

std::optional<std::int64_t> parse_label(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

std::vector<LabelledFile> list_from_csv(const fs::path& csv, int classes) {
  std::ifstream in(csv);
  std::string text;
  std::getline(in, text);
  const auto header = csv_fields(text);
  const auto column = [&](const std::string& name) {
    const auto at = std::find(header.begin(), header.end(), name);
    if (at == header.end()) {
      throw UserError(
          Fault{.file = csv.string(), .line = 1, .expected = "expected a header line with the columns file and class", .got = text});
    }
    return static_cast<std::size_t>(at - header.begin());
  };
  const std::size_t file_column = column("file"), class_column = column("class");
  const std::string legal = classes > 0 ? "expected a class from 0 to " + std::to_string(classes - 1) : "expected a class number from 0";
  std::vector<LabelledFile> files;
  for (int line = 2; std::getline(in, text); ++line) {
    if (text.empty() || text == "\r") continue;
    const auto fields = csv_fields(text);
    if (fields.size() <= std::max(file_column, class_column)) {
      throw UserError(Fault{.file = csv.string(), .line = line, .expected = "expected a file and a class", .got = text});
    }
    const auto label = parse_label(fields[class_column]);
    if (!label || (classes > 0 && *label >= classes)) {
      throw UserError(Fault{.file = csv.string(), .line = line, .key = "class", .expected = legal, .got = fields[class_column]});
    }
    files.push_back({(csv.parent_path() / fields[file_column]).string(), *label});
  }
  return files;
}

bool is_image(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(), [](unsigned char c) { return std::tolower(c); });
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

std::vector<fs::path> sorted_entries(const fs::path& directory) {
  std::vector<fs::path> entries;
  for (const auto& entry : fs::directory_iterator(directory)) entries.push_back(entry.path());
  std::sort(entries.begin(), entries.end());
  return entries;
}

std::vector<LabelledFile> list_from_sub_folders(const fs::path& directory, int classes) {
  std::vector<LabelledFile> files;
  std::int64_t label = 0;
  for (const auto& folder : sorted_entries(directory)) {
    if (!fs::is_directory(folder) || folder.filename().string().starts_with('.')) continue;
    const std::size_t before = files.size();
    for (const auto& path : sorted_entries(folder)) {
      if (is_image(path)) files.push_back({path.string(), label});
    }
    if (files.size() > before) ++label;
  }
  if (classes > 0 && label > classes) {
    throw UserError(Fault{
        .file = directory.string(),
        .expected = "expected at most " + std::to_string(classes) + " sub-folders of images, one a class, got " + std::to_string(label)});
  }
  return files;
}

using Pixels = std::unique_ptr<stbi_uc, void (*)(void*)>;

struct ImageSize {
  int width = 0, height = 0;
};

Pixels decode(const std::string& path, int channels, ImageSize* size) {
  int stored_channels = 0;
  Pixels pixels(stbi_load(path.c_str(), &size->width, &size->height, &stored_channels, channels), stbi_image_free);
  if (pixels) return pixels;
  std::error_code error;
  const bool exists = fs::exists(path, error);
  throw UserError(
      Fault{.file = path,
            .expected = exists ? "expected a JPEG or PNG image, but it cannot be decoded (" + std::string(stbi_failure_reason()) + ")"
                               : "expected an image, but there is no such file"});
}

// Interleaved [h, w, c] into planes [c, h, w].
void write_planes(const stbi_uc* from, int channels, std::int64_t area, std::uint8_t* to) {
  for (int c = 0; c < channels; ++c) {
    for (std::int64_t i = 0; i < area; ++i) to[c * area + i] = from[i * channels + c];
  }
}

}  // namespace

Rows read_image_folder(const ImageFolderOptions& options) {
  const fs::path directory(options.directory);
  if (!fs::is_directory(directory)) {
    throw UserError(Fault{.file = options.directory, .expected = "expected a folder of images, but there is no such folder"});
  }
  const bool has_csv = fs::exists(directory / "labels.csv");
  const auto files = has_csv ? list_from_csv(directory / "labels.csv", options.classes) : list_from_sub_folders(directory, options.classes);
  if (files.empty()) {
    throw UserError(Fault{.file = options.directory,
                          .expected = has_csv ? "expected images, but labels.csv lists none"
                                              : "expected labels.csv, or one sub-folder of JPEG or PNG images for "
                                                "each class; there is neither"});
  }
  ImageSize size{options.image_size, options.image_size};
  if (options.image_size == 0) decode(files[0].path, options.channels, &size);

  Rows rows;
  const std::int64_t count = static_cast<std::int64_t>(files.size());
  const std::int64_t area = std::int64_t{size.width} * size.height;
  rows.inputs.push_back(at::empty({count, options.channels, size.height, size.width}, at::kByte));
  rows.labels = at::empty({count}, at::kLong);
  std::uint8_t* const pixels = rows.inputs[0].data_ptr<std::uint8_t>();
  std::int64_t* const labels = rows.labels.data_ptr<std::int64_t>();
  tbb::parallel_for(std::int64_t{0}, count, [&](std::int64_t i) {
    ImageSize actual;
    const auto& file = files[static_cast<std::size_t>(i)];
    const Pixels decoded = decode(file.path, options.channels, &actual);
    if (actual.width != size.width || actual.height != size.height) {
      throw UserError(Fault{.file = file.path,
                            .expected = "expected an image of " + std::to_string(size.width) + "x" + std::to_string(size.height) +
                                        " pixels, got " + std::to_string(actual.width) + "x" + std::to_string(actual.height)});
    }
    write_planes(decoded.get(), options.channels, area, pixels + i * options.channels * area);
    labels[i] = file.label;
  });
  return rows;
}

}  // namespace lathe::evaluators
