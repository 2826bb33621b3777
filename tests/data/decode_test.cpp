#include "data/decode.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <sstream>

#include "bn/dataset.hpp"
#include "data/fixtures.hpp"
#include "packing/encode.hpp"

namespace bn {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

std::array<double, 3> mean_of(const Image& image) {
  std::array<double, 3> sum{};
  for (size_t i = 0; i < image.pixels.size(); ++i) sum[i % 3] += image.pixels[i];
  const auto pixels = static_cast<double>(image.height * image.width);
  return {sum[0] / pixels, sum[1] / pixels, sum[2] / pixels};
}

double mean_difference(const Image& a, const Image& b) {
  EXPECT_EQ(a.pixels.size(), b.pixels.size());
  double sum = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i) sum += std::abs(a.pixels[i] - b.pixels[i]);
  return sum / static_cast<double>(a.pixels.size());
}

std::string refusal(const Bytes& bytes) {
  return error_message<DataError>([&] { decode(bytes); });
}

TEST(Decode, ReadsJpegAndPngAsRgb) {
  const Image png = decode(png_image(40, 60, 3)), jpeg = decode(jpeg_image(40, 60, 3));
  EXPECT_EQ(png.height, 40);
  EXPECT_EQ(png.width, 60);
  EXPECT_EQ(png.channels, 3);
  // The gradient's first pixel: red 200 - 69, green 60, blue 40 + 111.
  EXPECT_EQ(png.pixels[0], 131);
  EXPECT_EQ(png.pixels[1], 60);
  EXPECT_EQ(png.pixels[2], 151);
  EXPECT_LT(mean_difference(png, jpeg), 2);
}

TEST(Decode, MakesGrayOfColour) {
  for (const Bytes& bytes : {png_image(40, 60, 3), jpeg_image(40, 60, 3)}) {
    const Image gray = decode(bytes, 1);
    EXPECT_EQ(gray.channels, 1);
    ASSERT_EQ(gray.pixels.size(), 2400U);
    EXPECT_NEAR(gray.pixels[0], 0.299 * 131 + 0.587 * 60 + 0.114 * 151, 3);
  }
}

TEST(Decode, ConvertsChannels) {
  const Bytes rgb{255, 0, 0, 10, 20, 30};
  Image gray, back;
  convert_channels({.data = rgb.data(), .height = 1, .width = 2, .channels = 3}, 1, gray);
  EXPECT_EQ(gray.pixels, (Bytes{76, 18}));
  convert_channels(gray.view(), 3, back);
  EXPECT_EQ(back.pixels, (Bytes{76, 76, 76, 18, 18, 18}));
}

TEST(Decode, PngSurvivesARoundTrip) {
  const Image image = decode(png_image(20, 30, 5));
  EXPECT_EQ(decode(encode_png(image.view())).pixels, image.pixels);
  Image gray;
  convert_channels(image.view(), 1, gray);
  EXPECT_EQ(decode(encode_png(gray.view()), 1).pixels, gray.pixels);
}

TEST(Decode, TurnsCmykIntoRgb) {
  // Adobe stores complements: colour = ink * black / 255.
  const Image image = decode(cmyk_jpeg_image(16, 24, {200, 100, 40, 255}));
  EXPECT_EQ(image.channels, 3);
  ASSERT_EQ(image.pixels.size(), 16U * 24 * 3);
  EXPECT_NEAR(image.pixels[0], 200, 2);
  EXPECT_NEAR(image.pixels[1], 100, 2);
  EXPECT_NEAR(image.pixels[2], 40, 2);
  EXPECT_NEAR(decode(cmyk_jpeg_image(16, 24, {200, 100, 40, 128})).pixels[0], 100, 2);
  const Image gray = decode(cmyk_jpeg_image(16, 24, {200, 100, 40, 255}), 1);
  EXPECT_EQ(gray.pixels.size(), 16U * 24);
  EXPECT_NEAR(gray.pixels[0], 0.299 * 200 + 0.587 * 100 + 0.114 * 40, 2);
}

TEST(Decode, TurnsEveryKindOfFourInksIntoRgb) {
  const Image ycck = decode(cmyk_jpeg_image(16, 24, {200, 100, 40, 128}, FourInks::kYcck));
  // Without Adobe's marker the inks are as they are: colour = (255 - ink) * (255 - black) / 255.
  const Image plain = decode(cmyk_jpeg_image(16, 24, {55, 155, 215, 127}, FourInks::kCmykWithoutMarker));
  for (const Image& image : {ycck, plain}) {
    ASSERT_EQ(image.pixels.size(), 16U * 24 * 3);
    EXPECT_NEAR(image.pixels[0], 100, 3);
    EXPECT_NEAR(image.pixels[1], 50, 3);
    EXPECT_NEAR(image.pixels[2], 20, 3);
  }
  EXPECT_NEAR(decode(cmyk_jpeg_image(16, 24, {200, 100, 40, 255}, FourInks::kYcck), 1).pixels[0],
              0.299 * 200 + 0.587 * 100 + 0.114 * 40, 3);
}

// A header is all that there is: without a look at it, memory for the pixels would be taken first.
TEST(Decode, RefusesHugeImagesOfOtherFormatsByTheirHeaders) {
  const char* message = "the image claims 20000 x 30000 pixels, more than the 268435456 accepted";
  Bytes png = png_image(20, 30, 1);
  std::copy_n(Bytes{0, 0, 0x4E, 0x20, 0, 0, 0x75, 0x30}.begin(), 8, png.begin() + 16);
  EXPECT_EQ(refusal(png), message);
  Bytes bmp = bytes_of("BM");
  bmp.resize(54);
  bmp[14] = 40;  // size of the second header
  std::copy_n(Bytes{0x20, 0x4E, 0, 0, 0x30, 0x75, 0, 0}.begin(), 8, bmp.begin() + 18);
  EXPECT_EQ(refusal(bmp), message);
  std::copy_n(Bytes{0xD0, 0x8A, 0xFF, 0xFF}.begin(), 4, bmp.begin() + 22);  // -30000: rows from the top
  EXPECT_EQ(refusal(bmp), message);
  EXPECT_EQ(refusal(bytes_of("P6\n# a comment\n20000 30000\n255\n")), message);
  Bytes webp = bytes_of("RIFF");
  append(webp, {0, 0, 0, 0});
  append(webp, bytes_of("WEBPVP8X"));
  append(webp, {10, 0, 0, 0, 0, 0, 0, 0, 0x1F, 0x4E, 0, 0x2F, 0x75, 0});  // each side less one
  EXPECT_EQ(refusal(webp), message);
  const Bytes little{'I',  'I', 42, 0, 8, 0, 0, 0, 2, 0, 0, 1,    4,    0, 1, 0, 0, 0, 0x20,
                     0x4E, 0,   0,  1, 1, 3, 0, 1, 0, 0, 0, 0x30, 0x75, 0, 0, 0, 0, 0, 0};
  EXPECT_EQ(refusal(little), message);
  const Bytes big{'M',  'M', 0, 42, 0, 0, 0, 8, 0, 2, 1, 0, 0, 3,    0,    0, 0, 1, 0x4E,
                  0x20, 0,   0, 1,  1, 0, 4, 0, 0, 0, 1, 0, 0, 0x75, 0x30, 0, 0, 0, 0};
  EXPECT_EQ(refusal(big), message);
}

Bytes netpbm(const std::string& header, const Bytes& values) {
  Bytes file = bytes_of(header);
  append(file, values);
  return file;
}

TEST(Decode, TheHeaderOfANetpbmFileSaysWhatWhiteIs) {
  if (!has_imgcodecs()) GTEST_SKIP() << "this build has no imgcodecs";
  EXPECT_EQ(decode(netpbm("P5\n3 1\n15\n", {0, 5, 15}), 1).pixels, (Bytes{0, 85, 255}));
  EXPECT_EQ(decode(netpbm("P6\n1 1\n100\n", {100, 50, 0})).pixels, (Bytes{255, 127, 0}));
  EXPECT_EQ(decode(netpbm("P6 # c\n1 1\n1023\n", {3, 255, 1, 0, 0, 0})).pixels, (Bytes{255, 63, 0}));
  EXPECT_EQ(decode(netpbm("P5\n1 1\n255\n", {77}), 1).pixels, Bytes{77});
  EXPECT_EQ(decode(netpbm("P2\n3 1\n15\n0 5 15\n", {}), 1).pixels, (Bytes{0, 85, 255}));
  EXPECT_EQ(decode(netpbm("P3\n1 1\n1023\n1023 511 0\n", {})).pixels, (Bytes{255, 127, 0}));
  EXPECT_EQ(decode(netpbm("P2\n3 1\n255\n0 5 15", {}), 1).pixels, (Bytes{0, 5, 15}));  // ends with its last number
  EXPECT_EQ(decode(netpbm("P3\n1 1\n255\n1 2 3", {})).pixels, (Bytes{1, 2, 3}));
  EXPECT_CONTAINS(refusal(netpbm("P2\n3 1\n255\n0 5", {})), "the image data is damaged");
  EXPECT_EQ(refusal(netpbm("P5\n1 1\n15\n", {16})),
            "a pixel's value is 16, but the file's header says that the largest is 15");
  EXPECT_CONTAINS(refusal(netpbm("P2\n1 1\n255\n300\n", {})), "a pixel's value is 300");
  EXPECT_EQ(refusal(netpbm("P5\n2 1\n15\n", {1})), "the image data is cut off");
  EXPECT_EQ(refusal(netpbm("P6\n9 9\n1023\n", {1})), "the image data is cut off");
}

// The file of a BMP whose header has so many bytes; behind it lie masks or colours, then the pixels.
Bytes bmp_of(uint8_t header, uint8_t side, uint8_t bits, uint8_t compression, const Bytes& behind,
             const Bytes& pixels) {
  Bytes bmp = bytes_of("BM");
  const auto place = static_cast<uint8_t>(14 + header + behind.size());
  append(bmp, {0, 0, 0, 0, 0, 0, 0, 0, place, 0, 0, 0, header, 0, 0, 0, side, 0, 0, 0, side, 0, 0, 0, 1, 0, bits, 0});
  append(bmp, {compression});
  bmp.resize(14U + header);
  if (bits <= 8) bmp[46] = static_cast<uint8_t>(behind.size() / 4);  // colours
  append(bmp, behind);
  append(bmp, pixels);
  return bmp;
}

// A blue pixel of 32 bits, whose masks say where its colours are. They lie at one place, within the header or behind
// it.
Bytes bmp_with_masks(const Bytes& red_mask, const Bytes& blue_mask, uint8_t header = 40) {
  Bytes masks = red_mask;
  append(masks, {0, 0xFF, 0, 0});
  append(masks, blue_mask);
  Bytes bmp = bmp_of(header, 1, 32, 3, header == 40 ? masks : Bytes{}, {200, 0, 0, 0});
  std::copy(masks.begin(), masks.end(), bmp.begin() + 54);
  return bmp;
}

Bytes bmp_of_words(uint8_t header, const Bytes& red_mask, const Bytes& green_mask, const Bytes& pixel) {
  Bytes masks = red_mask;
  append(masks, green_mask);
  append(masks, {0x1F, 0, 0, 0});
  Bytes bmp = bmp_of(header, 1, 16, 3, header == 40 ? masks : Bytes{}, pixel);
  std::copy(masks.begin(), masks.end(), bmp.begin() + 54);
  return bmp;
}

TEST(Decode, RefusesABmpWhoseMasksItWouldNotHeed) {
  if (!has_imgcodecs()) GTEST_SKIP() << "this build has no imgcodecs";
  const Bytes low{0xFF, 0, 0, 0}, high{0, 0, 0xFF, 0};
  for (const uint8_t header : {40, 52, 56, 108, 124}) {
    EXPECT_EQ(decode(bmp_with_masks(high, low, header)).pixels, (Bytes{0, 0, 200})) << int{header};
    EXPECT_CONTAINS(refusal(bmp_with_masks(low, high, header)), "the BMP's own masks") << int{header};
    EXPECT_CONTAINS(refusal(bmp_with_masks({0, 0, 0xF0, 0x3F}, {0xFF, 3, 0, 0}, header)), "the BMP's own masks");
  }
  const Bytes red{0, 0xF8, 0, 0}, green{0xE0, 7, 0, 0}, other_red{0, 0x7C, 0, 0}, other_green{0xE0, 3, 0, 0};
  EXPECT_EQ(decode(bmp_of_words(40, red, green, {0x10, 0, 0, 0})).pixels, (Bytes{0, 0, 128}));
  EXPECT_EQ(decode(bmp_of_words(40, other_red, other_green, {0x10, 0, 0, 0})).pixels, (Bytes{0, 0, 128}));
  EXPECT_CONTAINS(refusal(bmp_of_words(40, red, other_green, {0x10, 0, 0, 0})), "the BMP's own masks");
  EXPECT_CONTAINS(refusal(bmp_of_words(108, red, green, {0x10, 0, 0, 0})), "the BMP's own masks");
}

// Four pixels each way, of two colours.
Bytes bmp_of_rows(uint8_t bits, uint8_t compression, const Bytes& rows) {
  return bmp_of(40, 4, bits, compression, {10, 20, 30, 0, 40, 50, 60, 0}, rows);
}

TEST(Decode, RefusesABmpWhoseCompressedRowsLeavePixelsOut) {
  if (!has_imgcodecs()) GTEST_SKIP() << "this build has no imgcodecs";
  constexpr uint8_t kBytes = 1, kHalfBytes = 2;
  const Bytes run{4, 1, 0, 0}, three_and_one{0, 3, 1, 1, 1, 0, 1, 1, 0, 0}, end{0, 1};
  const auto rows = [&](const std::vector<Bytes>& parts) {
    Bytes all;
    for (const Bytes& part : parts) append(all, part);
    return all;
  };
  Bytes pixels;
  for (int i = 0; i < 16; ++i) append(pixels, {60, 50, 40});
  EXPECT_EQ(decode(bmp_of_rows(8, kBytes, rows({run, three_and_one, run, run, end}))).pixels, pixels);
  EXPECT_EQ(decode(bmp_of_rows(8, kBytes, rows({run, run, run, {4, 1, 0, 1}}))).pixels, pixels);
  const Bytes halves{4, 0x11, 0, 0}, three_halves{0, 3, 0x11, 0x10, 1, 0x11, 0, 0};
  EXPECT_EQ(decode(bmp_of_rows(4, kHalfBytes, rows({halves, three_halves, halves, halves, end}))).pixels, pixels);
  const std::string message = "the BMP's compressed rows leave pixels out: save it without compression";
  EXPECT_EQ(refusal(bmp_of_rows(8, kBytes, rows({run, run, end}))), message);
  EXPECT_EQ(refusal(bmp_of_rows(8, kBytes, rows({run, {3, 1, 0, 0}, run, run, end}))), message);
  EXPECT_EQ(refusal(bmp_of_rows(8, kBytes, rows({{0, 2, 0, 1}, run, run, run, end}))), message);
  EXPECT_EQ(refusal(bmp_of_rows(4, kHalfBytes, rows({halves, halves, end}))), message);
  EXPECT_EQ(refusal(bmp_of_rows(8, kBytes, rows({run, run}))), "the image data is cut off");
  EXPECT_EQ(refusal(bmp_of_rows(8, kBytes, rows({{5, 1}, run, run, run, end}))),
            "the BMP's compressed rows are longer than the image is wide: is it damaged?");
}

// One pixel of red, green, blue and alpha, of 8 bits or of 16, whose two bytes are alike.
Bytes tiff_with_alpha(uint8_t bits, uint8_t alpha, uint8_t kind_of_alpha, uint8_t kind_of_number = 1) {
  const auto pixel = static_cast<uint8_t>(bits / 2);  // bytes
  const auto bits_at = static_cast<uint8_t>(8 + pixel), directory = static_cast<uint8_t>(bits_at + 8);
  const std::vector<std::array<uint8_t, 3>> tags{{0, 1, 1},
                                                 {1, 1, 1},
                                                 {2, 4, bits_at},
                                                 {3, 1, 1},
                                                 {6, 1, 2},
                                                 {17, 1, 8},
                                                 {21, 1, 4},
                                                 {22, 1, 1},
                                                 {23, 1, pixel},
                                                 {82, 1, kind_of_alpha},
                                                 {83, 1, kind_of_number}};
  Bytes tiff{'I', 'I', 42, 0, directory, 0, 0, 0};
  for (const int value : {200, 100, 50, int{alpha}}) tiff.insert(tiff.end(), bits / 8U, static_cast<uint8_t>(value));
  for (int i = 0; i < 4; ++i) append(tiff, {bits, 0});
  append(tiff, {static_cast<uint8_t>(tags.size()), 0});
  for (const auto& [tag, count, value] : tags) append(tiff, {tag, 1, 3, 0, count, 0, 0, 0, value, 0, 0, 0});
  append(tiff, {0, 0, 0, 0});
  return tiff;
}

TEST(Decode, RefusesATiffThatIsTransparentInPlaces) {
  if (!has_imgcodecs()) GTEST_SKIP() << "this build has no imgcodecs";
  constexpr uint8_t kAssociated = 1, kUnassociated = 2;
  for (const uint8_t bits : {8, 16}) {
    for (const uint8_t kind : {kAssociated, kUnassociated}) {
      EXPECT_EQ(decode(tiff_with_alpha(bits, 255, kind)).pixels, (Bytes{200, 100, 50})) << int{bits};
      EXPECT_CONTAINS(refusal(tiff_with_alpha(bits, 128, kind)), "transparent in places") << int{bits};
    }
  }
}

TEST(Decode, RefusesATiffOfOtherNumbers) {
  if (!has_imgcodecs()) GTEST_SKIP() << "this build has no imgcodecs";
  for (const uint8_t bits : {8, 16}) {
    for (const uint8_t kind : {2, 3, 4}) {
      EXPECT_EQ(refusal(tiff_with_alpha(bits, 255, 1, kind)),
                "the TIFF's numbers are signed or fractions: save it with unsigned numbers of 8 or 16 bits");
    }
  }
}

TEST(Decode, NamesTheDamage) {
  EXPECT_EQ(refusal({}), "the file is empty");
  for (const Bytes& bytes : {bytes_of("not an image at all"), Bytes{0xFF}, Bytes(5000, 0)}) {
    EXPECT_EQ(refusal(bytes),
              "the data is damaged or in no format that is read here (JPEG, PNG, BMP, WebP, PPM, PGM, TIFF)");
  }
}

TEST(Decode, ATruncatedJpegIsAnError) {
  const Bytes whole = jpeg_image(200, 300, 4);
  for (const double share : {0.01, 0.1, 0.5, 0.9, 0.99}) {
    EXPECT_CONTAINS(refusal(first_part(whole, share)), "the JPEG data is damaged or cut off (");
  }
  EXPECT_CONTAINS(refusal(first_part(whole, 0.6)), "Premature end of JPEG file");
}

TEST(Decode, ADamagedJpegIsAnError) {
  Bytes spoiled = jpeg_image(200, 300, 4);
  std::fill(spoiled.end() - 400, spoiled.end() - 300, uint8_t{0xFF});
  EXPECT_CONTAINS(refusal(spoiled), "the JPEG data is damaged or cut off (");
}

TEST(Decode, ATruncatedPngIsAnError) {
  const Bytes whole = png_image(200, 300, 4);
  for (const double share : {0.02, 0.5, 0.9}) {
    EXPECT_CONTAINS(refusal(first_part(whole, share)), "damaged");
  }
}

TEST(Decode, RefusesAnAbsurdSizeBeforeAllocating) {
  Bytes jpeg = jpeg_image(16, 16, 1);
  // The size stands in the start-of-frame segment: FF C0, length, precision, height, width.
  for (size_t i = 0; i + 8 < jpeg.size(); ++i) {
    if (jpeg[i] == 0xFF && jpeg[i + 1] == 0xC0)
      std::fill_n(jpeg.begin() + static_cast<int64_t>(i) + 5, 4, uint8_t{0xF0});
  }
  EXPECT_EQ(refusal(jpeg), "the image claims 61680 x 61680 pixels, more than the 268435456 accepted");
}

TEST(Decode, RefusesMorePixelsThanTheBytesCanHold) {
  Bytes jpeg = jpeg_image(16, 16, 1);
  for (size_t i = 0; i + 8 < jpeg.size(); ++i) {
    if (jpeg[i] == 0xFF && jpeg[i + 1] == 0xC0)
      std::fill_n(jpeg.begin() + static_cast<int64_t>(i) + 5, 4, uint8_t{0x13});
  }
  EXPECT_EQ(refusal(jpeg),
            "the image claims 4883 x 4883 pixels, which its " + std::to_string(jpeg.size()) + " bytes cannot hold");
  Image gray;  // an image with the most pixels a byte is still read
  gray.reshape(1500, 1500, 1);
  std::fill(gray.pixels.begin(), gray.pixels.end(), uint8_t{128});
  EXPECT_EQ(decode(encode_jpeg(gray.view(), 1), 1).pixels, gray.pixels);
}

TEST(Decode, StrayBytesBetweenMarkersAreNoDamage) {
  const Bytes whole = jpeg_image(40, 40, 2);
  Bytes longer = whole;
  longer.insert(longer.end() - 2, {1, 2, 3});  // before the end marker
  append(longer, bytes_of("after the end"));
  EXPECT_EQ(decode(longer).pixels, decode(whole).pixels);
}

struct IndexLine {
  std::string path;
  std::array<double, 3> mean{};
};

// path and mean_r, mean_g, mean_b of an index.csv.
std::vector<IndexLine> read_index(const std::string& path) {
  std::ifstream file(path);
  std::vector<IndexLine> lines;
  std::vector<std::string> header;
  for (std::string line; std::getline(file, line);) {
    std::vector<std::string> cells;
    std::istringstream stream(line);
    for (std::string cell; std::getline(stream, cell, ',');) cells.push_back(cell);
    if (header.empty()) {
      header = cells;
      continue;
    }
    const auto column = [&](const char* name) {
      return cells.at(static_cast<size_t>(std::find(header.begin(), header.end(), name) - header.begin()));
    };
    lines.push_back(
        {column("path"), {std::stod(column("mean_r")), std::stod(column("mean_g")), std::stod(column("mean_b"))}});
  }
  return lines;
}

void expect_mean(const Image& image, const std::array<double, 3>& expected, const std::string& name) {
  const auto mean = mean_of(image);
  for (size_t c = 0; c < 3; ++c) EXPECT_NEAR(mean[c], expected[c], 0.01) << name << " channel " << c;
}

TEST(Decode, OddRealImagesHaveTheRecordedMeans) {
  REQUIRE_REAL_DATA("oddities/index.csv");
  const auto lines = read_index(real_data("oddities/index.csv"));
  ASSERT_EQ(lines.size(), 32U);
  for (const auto& line : lines) {
    expect_mean(decode(bytes_of(read_bytes(real_data("oddities/" + line.path)))), line.mean, line.path);
  }
}

TEST(Decode, FullSizeImageNetImagesHaveTheRecordedMeans) {
  REQUIRE_REAL_DATA("imagenet-fullres/index.csv");
  const auto lines = read_index(real_data("imagenet-fullres/index.csv"));
  const DataOptions options{.kind = DatasetKind::kTar, .train = {"imagenet-fullres/train-00.tar"}};
  const auto set = open_dataset(options, Split::kTrain);
  ASSERT_EQ(set->size(), static_cast<int64_t>(lines.size()));
  for (int64_t i = 0; i < set->size(); i += 5) {
    const auto& line = lines[static_cast<size_t>(i)];
    ASSERT_EQ(set->name(i), "train-00.tar:" + line.path);
    expect_mean(decode(sample_bytes(*set, i)), line.mean, line.path);
  }
}

TEST(Decode, DecoderTestsAgreeWithTheirReferences) {
  REQUIRE_REAL_DATA("oddities/jpeg-decoder");
  int compared = 0;
  for (const auto& entry : std::filesystem::directory_iterator(real_data("oddities/jpeg-decoder"))) {
    auto path = entry.path();
    if (path.extension() != ".jpg" || path.stem() == "partial_progressive") continue;
    const Image jpeg = decode(bytes_of(read_bytes(path.string())));
    EXPECT_LT(mean_difference(jpeg, decode(bytes_of(read_bytes(path.replace_extension(".png").string())))), 1.5)
        << path;
    ++compared;
  }
  EXPECT_EQ(compared, 12);
  // Its last scans are missing; the reference shows what a lenient decoder makes of the rest.
  const auto partial = bytes_of(read_bytes(real_data("oddities/jpeg-decoder/partial_progressive.jpg")));
  EXPECT_CONTAINS(refusal(partial), "the JPEG data is damaged or cut off (");
}

TEST(Decode, DamagedRealFilesAreErrors) {
  REQUIRE_REAL_DATA("oddities/synthetic");
  EXPECT_EQ(refusal(bytes_of(read_bytes(real_data("oddities/synthetic/empty.JPEG")))), "the file is empty");
  const auto cut = bytes_of(read_bytes(real_data("oddities/synthetic/golden_retriever_truncated60pct.JPEG")));
  EXPECT_CONTAINS(refusal(cut), "the JPEG data is damaged or cut off (");
}

TEST(Decode, CmykOfARealImageLooksLikeTheOriginal) {
  REQUIRE_REAL_DATA("oddities/synthetic/golden_retriever_cmyk_adobe0.JPEG");
  const Image cmyk = decode(bytes_of(read_bytes(real_data("oddities/synthetic/golden_retriever_cmyk_adobe0.JPEG"))));
  for (const auto& line : read_index(real_data("imagenet-fullres/index.csv"))) {
    if (line.path.find("n02099601_") == std::string::npos) continue;
    const auto mean = mean_of(cmyk);
    for (size_t c = 0; c < 3; ++c) EXPECT_NEAR(mean[c], line.mean[c], 1.5) << c;
    return;
  }
  GTEST_SKIP() << "the original is not among the 200 images of imagenet-fullres";
}

}  // namespace
}  // namespace bn
