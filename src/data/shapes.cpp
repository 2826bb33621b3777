#include "data/shapes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "bn/error.hpp"
#include "bn/rng.hpp"
#include "data/sources.hpp"

namespace bn {
namespace {

// Drawing. Lengths are in units of 1/32 of the image's side; every figure is a signed distance (negative inside), and a
// pixel's coverage follows from the distance of its centre.

constexpr float kPi = 3.14159265F;
constexpr float kUnits = 32;

struct Point {
  float x = 0, y = 0;
};
Point operator-(Point a, Point b) { return {a.x - b.x, a.y - b.y}; }
float dot(Point a, Point b) { return a.x * b.x + a.y * b.y; }
float length(Point p) { return std::sqrt(dot(p, p)); }

struct Colour {
  float r = 0, g = 0, b = 0;
};
Colour mix(Colour a, Colour b, float share) {
  return {a.r + share * (b.r - a.r), a.g + share * (b.g - a.g), a.b + share * (b.b - a.b)};
}
float distance(Colour a, Colour b) {
  return std::sqrt((a.r - b.r) * (a.r - b.r) + (a.g - b.g) * (a.g - b.g) + (a.b - b.b) * (a.b - b.b));
}

float draw(RandomStream& random, double low, double high) { return static_cast<float>(random.uniform(low, high)); }

float disk(Point p, float radius) { return length(p) - radius; }

float box(Point p, float half_width, float half_height) {
  const Point outside{std::abs(p.x) - half_width, std::abs(p.y) - half_height};
  return length({std::max(outside.x, 0.0F), std::max(outside.y, 0.0F)}) +
         std::min(std::max(outside.x, outside.y), 0.0F);
}

float segment(Point p, Point a, Point b) {
  const Point ab = b - a;
  const float along = std::clamp(dot(p - a, ab) / dot(ab, ab), 0.0F, 1.0F);
  return length(p - a - Point{ab.x * along, ab.y * along});
}

// Returns the distance to the nearest edge; its sign comes from counting the edges that a ray crosses.
float polygon(Point p, const std::vector<Point>& corners) {
  float nearest = 1e9F;
  bool inside = false;
  for (size_t i = 0, j = corners.size() - 1; i < corners.size(); j = i++) {
    const Point a = corners[i], b = corners[j];
    nearest = std::min(nearest, segment(p, a, b));
    const bool straddles = (a.y > p.y) != (b.y > p.y);
    if (straddles && p.x < a.x + (b.x - a.x) * (p.y - a.y) / (b.y - a.y)) inside = !inside;
  }
  return inside ? -nearest : nearest;
}

// Corners at the given radii in turn, evenly spaced around the circle.
std::vector<Point> star_corners(int count, float outer, float inner) {
  std::vector<Point> corners;
  for (int i = 0; i < count; ++i) {
    const float angle = 2 * kPi * static_cast<float>(i) / static_cast<float>(count);
    const float radius = i % 2 == 0 ? outer : inner;
    corners.push_back({radius * std::sin(angle), -radius * std::cos(angle)});
  }
  return corners;
}

// The point is in the shape's own coordinates: centre 0, reach about 1. `shape` follows the order of kShapeNames.
float shape_distance(int64_t shape, Point p) {
  static const std::vector<Point> kArrow{{0, -1},         {0.75F, -0.1F},  {0.28F, -0.1F}, {0.28F, 0.95F},
                                         {-0.28F, 0.95F}, {-0.28F, -0.1F}, {-0.75F, -0.1F}};
  static const std::vector<Point> kStar = star_corners(10, 1.08F, 0.43F);
  static const std::vector<Point> kTriangle = star_corners(3, 1.05F, 1.05F);
  switch (shape) {
    case 0:
      return polygon(p, kArrow);
    case 1:
      return std::max(disk(p, 0.95F), -disk(p - Point{0.5F, 0}, 0.78F));
    case 2:
      return std::min(box(p, 0.98F, 0.27F), box(p, 0.27F, 0.98F));
    case 3:
      return disk(p, 0.88F);
    case 4:
      return std::abs(box(p, 0.66F, 0.66F)) - 0.15F;
    case 5: {
      const Point turned{(p.x + p.y - 0.1F) * 0.7071F, (p.y - p.x - 0.1F) * 0.7071F};
      const float lobes = std::min(disk(p - Point{0.47F, -0.36F}, 0.52F), disk(p - Point{-0.47F, -0.36F}, 0.52F));
      return std::min(box(turned, 0.6F, 0.6F), lobes);
    }
    case 6:
      return std::abs(disk(p, 0.76F)) - 0.18F;
    case 7:
      return box(p, 0.74F, 0.74F);
    case 8:
      return polygon(p, kStar);
    default:
      return polygon(p, kTriangle);
  }
}

// Two colours and a pattern between them, with parameters drawn once.
class Texture {
 public:
  Texture(Colour first, Colour second, RandomStream& random)
      : first_(first), second_(second), pattern_(static_cast<int>(random.uniform_index(4))) {
    const float angle = draw(random, 0, 2 * kPi), period = draw(random, 3, 9);
    step_ = {std::cos(angle) / period, std::sin(angle) / period};
    phase_ = draw(random, 0, 1);
    for (float& value : lattice_) value = draw(random, 0, 1);
  }

  Colour at(Point p) const { return mix(first_, second_, share(p)); }

 private:
  // 0 .. 1 .. 0 over one period.
  static float wave(float x) { return std::abs(2 * (x - std::floor(x)) - 1); }

  float share(Point p) const {
    const float along = p.x * step_.x + p.y * step_.y + phase_, across = p.x * step_.y - p.y * step_.x + phase_;
    switch (pattern_) {
      case 0:
        return 0.5F;
      case 1:
        return wave(along) > 0.5F ? 1.0F : 0.0F;
      case 2:
        return (wave(along) > 0.5F) == (wave(across) > 0.5F) ? 1.0F : 0.0F;
      default:
        return blobs(p);
    }
  }

  // Random values on a grid, four units apart, and bilinear between.
  float blobs(Point p) const {
    const float x = std::clamp(p.x / 4, 0.0F, 7.99F), y = std::clamp(p.y / 4, 0.0F, 7.99F);
    const auto column = static_cast<size_t>(x), row = static_cast<size_t>(y);
    const float right = x - static_cast<float>(column), down = y - static_cast<float>(row);
    const float* corner = lattice_.data() + row * kGrid + column;
    const float top = corner[0] + right * (corner[1] - corner[0]);
    const float bottom = corner[kGrid] + right * (corner[kGrid + 1] - corner[kGrid]);
    return top + down * (bottom - top);
  }

  static constexpr size_t kGrid = 9;
  Colour first_, second_;
  int pattern_;
  Point step_;
  float phase_ = 0;
  std::array<float, kGrid * kGrid> lattice_{};
};

Colour random_colour(RandomStream& random) {
  return {draw(random, 10, 245), draw(random, 10, 245), draw(random, 10, 245)};
}

Colour near(Colour base, float reach, RandomStream& random) {
  const auto move = [&](float value) { return std::clamp(value + draw(random, -reach, reach), 0.0F, 255.0F); };
  return {move(base.r), move(base.g), move(base.b)};
}

// Redraws until the colour stands apart from both others.
Colour colour_apart_from(std::array<Colour, 2> others, RandomStream& random) {
  constexpr float kContrast = 110;
  for (;;) {
    const Colour colour = random_colour(random);
    if (distance(colour, others[0]) > kContrast && distance(colour, others[1]) > kContrast) return colour;
  }
}

class Canvas {
 public:
  explicit Canvas(int64_t size) : size_(size), scale_(kUnits / static_cast<float>(size)) {
    pixels_.resize(static_cast<size_t>(size * size));
  }

  // Blends paint(point) in wherever inside(point), a signed distance in units, covers the pixel.
  template <class Distance, class Paint>
  void fill(Distance inside, Paint paint) {
    for (int64_t y = 0; y < size_; ++y) {
      for (int64_t x = 0; x < size_; ++x) {
        const Point p{(static_cast<float>(x) + 0.5F) * scale_, (static_cast<float>(y) + 0.5F) * scale_};
        const float coverage = std::clamp(0.5F - inside(p) / scale_, 0.0F, 1.0F);
        if (coverage == 0) continue;
        Colour& pixel = pixels_[static_cast<size_t>(y * size_ + x)];
        pixel = mix(pixel, paint(p), coverage);
      }
    }
  }

  // Adds noise with a triangular distribution of +-amplitude and rounds.
  void finish(float amplitude, RandomStream& random, uint8_t* out) const {
    const auto noisy = [&](float value) {
      const uint32_t bits = random.next();
      const float noise = (uniform_float(bits << 16) + uniform_float(bits & 0xFFFF0000U) - 1) * amplitude;
      return static_cast<uint8_t>(std::clamp(value + noise + 0.5F, 0.0F, 255.0F));
    };
    for (const Colour& pixel : pixels_) {
      *out++ = noisy(pixel.r);
      *out++ = noisy(pixel.g);
      *out++ = noisy(pixel.b);
    }
  }

 private:
  int64_t size_;
  float scale_;  // units per pixel
  std::vector<Colour> pixels_;
};

// A short stroke or a dot in any colour.
void draw_clutter(Canvas& canvas, RandomStream& random) {
  const Colour colour = random_colour(random);
  const Point centre{draw(random, 0, kUnits), draw(random, 0, kUnits)};
  const float angle = draw(random, 0, kPi), half = draw(random, 0.1, 4.5), width = draw(random, 0.5, 1.3);
  const Point reach{half * std::cos(angle), half * std::sin(angle)};
  const Point from = centre - reach, to{centre.x + reach.x, centre.y + reach.y};
  canvas.fill([&](Point p) { return segment(p, from, to) - width; }, [&](Point) { return colour; });
}

void draw_clutter(Canvas& canvas, int64_t count, RandomStream& random) {
  for (int64_t i = 0; i < count; ++i) draw_clutter(canvas, random);
}

void draw_main_shape(Canvas& canvas, int64_t shape, const Texture& texture, RandomStream& random) {
  const float radius = draw(random, 7.5, 12);
  const Point centre{draw(random, 11, 21), draw(random, 11, 21)};
  const float angle = draw(random, 0, 2 * kPi), cosine = std::cos(angle), sine = std::sin(angle);
  const float stretch = draw(random, 0.85, 1.15);
  const auto distance_to = [&](Point p) {
    const Point q = p - centre;
    const Point own{(q.x * cosine + q.y * sine) * stretch / radius, (q.y * cosine - q.x * sine) / stretch / radius};
    return shape_distance(shape, own) * radius;
  };
  canvas.fill(distance_to, [&](Point p) { return texture.at(p); });
}

constexpr int64_t kMinSize = 16, kMaxSize = 512;
constexpr auto kShapeCount = static_cast<int64_t>(kShapeNames.size());

const char* name_of(Split split) { return split == Split::kTrain ? "train" : "validation"; }

// All images are drawn once, when the set is opened.
class ShapesDataset final : public Dataset {
 public:
  ShapesDataset(const ShapesOptions& options, Split split, int64_t classes)
      : split_(split), image_size_(options.image_size), count_(images_in(options, split)) {
    class_names_.assign(kShapeNames.begin(), kShapeNames.begin() + classes);
    pixels_.resize(static_cast<size_t>(count_ * bytes_per_image()));
    for (int64_t i = 0; i < count_; ++i) {
      draw_shape_image(options, split, i, label(i), pixels_.data() + i * bytes_per_image());
    }
  }

  int64_t size() const override { return count_; }
  int32_t label(int64_t index) const override {
    return static_cast<int32_t>(index % static_cast<int64_t>(class_names_.size()));
  }
  std::string name(int64_t index) const override { return fmt::format("shapes/{}/{}", name_of(split_), index); }
  const std::vector<std::string>& class_names() const override { return class_names_; }

  Sample read(int64_t index, std::vector<uint8_t>&) const override {
    return {.data = pixels_.data() + index * bytes_per_image(),
            .bytes = bytes_per_image(),
            .raw_height = image_size_,
            .raw_width = image_size_,
            .raw_channels = 3};
  }

 private:
  int64_t bytes_per_image() const { return image_size_ * image_size_ * 3; }

  Split split_;
  int64_t image_size_, count_;
  std::vector<std::string> class_names_;
  std::vector<uint8_t> pixels_;
};

}  // namespace

int64_t images_in(const ShapesOptions& options, Split split) {
  return split == Split::kTrain ? options.train_images : options.validation_images;
}

void draw_shape_image(const ShapesOptions& options, Split split, int64_t index, int64_t shape, uint8_t* out) {
  const uint64_t stream = hash_name(split == Split::kTrain ? "shapes/train" : "shapes/validation");
  RandomStream random(options.seed, stream, static_cast<uint64_t>(index));
  constexpr float kSpread = 35;  // between the two colours of a texture
  const Colour ground = random_colour(random), ground2 = near(ground, kSpread, random);
  const Colour figure = colour_apart_from({ground, ground2}, random), figure2 = near(figure, kSpread, random);
  const Texture ground_texture(ground, ground2, random), figure_texture(figure, figure2, random);

  Canvas canvas(options.image_size);
  canvas.fill([](Point) { return -kUnits; }, [&](Point p) { return ground_texture.at(p); });
  draw_clutter(canvas, 2 + random.uniform_index(4), random);
  draw_main_shape(canvas, shape, figure_texture, random);
  draw_clutter(canvas, random.uniform_index(2), random);
  canvas.finish(draw(random, 5, 25), random, out);
}

void check_shapes(const ShapesOptions& options, Split split, int64_t classes) {
  if (options.image_size < kMinSize || options.image_size > kMaxSize) {
    throw ConfigError(
        fmt::format("generated shapes are {} to {} pixels wide, not {}", kMinSize, kMaxSize, options.image_size));
  }
  if (images_in(options, split) < classes) {
    throw ConfigError(fmt::format("a generated {} set of {} images leaves some of its {} classes empty", name_of(split),
                                  images_in(options, split), classes));
  }
}

std::unique_ptr<Dataset> open_shapes(const DataOptions& options, Split split) {
  if (!options.classes.empty()) throw ConfigError("generated shapes have their own classes: remove the classes file");
  if (options.classes_limit > kShapeCount) {
    throw ConfigError(fmt::format("classes_limit is {}, but there are {} shapes", options.classes_limit, kShapeCount));
  }
  const int64_t classes = options.classes_limit > 0 ? options.classes_limit : kShapeCount;
  check_shapes(options.shapes, split, classes);
  return std::make_unique<ShapesDataset>(options.shapes, split, classes);
}

}  // namespace bn
