// The page about one evaluation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bn/report.hpp"
#include "support/temporary_folder.hpp"

namespace bn {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string written(const EvaluationPage& page) {
  const test::TemporaryFolder folder;
  write_evaluation_page(page, folder.path());
  return test::read_bytes(folder / "index.html");
}

EvaluationPage three_classes() {
  return {.title = "top-1 50.00 % of 8 images",
          .subtitle = "a run",
          .classes = {{.name = "cat", .images = 4, .right = 3}, {.name = "a<b>", .images = 4, .right = 1}, {"owl"}},
          .answers = {{{0, 0}, 3}, {{0, 2}, 1}, {{1, 0}, 3}, {{1, 1}, 1}},
          .mistakes = {{.picture = "images/mistake01.png",
                        .image = "photos/1 & 2.jpg",
                        .label = "a<b>",
                        .label_probability = 0.001,
                        .answers = {"cat 99.0 %"}}}};
}

TEST(EvaluationPage, OrdersClassesAndConfusionsByHowBadTheyAre) {
  const std::string html = written(three_classes());
  EXPECT_THAT(html, HasSubstr("<td>a&lt;b&gt;</td><td>4</td><td>1</td><td>25.0 %</td>"));
  EXPECT_LT(html.find("<td>4</td><td>1</td><td>25.0 %"), html.find("<td>cat</td><td>4</td><td>3</td><td>75.0 %"));
  EXPECT_THAT(html, Not(HasSubstr("<td>owl</td><td>0</td>")));  // no image of it was scored
  const size_t often = html.find("<td>a&lt;b&gt;</td><td>cat</td><td>3</td><td>75.0 %</td>");
  const size_t once = html.find("<td>cat</td><td>owl</td><td>1</td><td>25.0 %</td>");
  ASSERT_NE(once, std::string::npos);
  EXPECT_LT(often, once);
}

TEST(EvaluationPage, ColoursTheMatrixByTheShareOfTheRow) {
  const std::string html = written(three_classes());
  EXPECT_THAT(html, HasSubstr("<tr><td>cat</td><td style=\"background:rgba(11,83,148,0.55)\">3</td><td></td><td "
                              "style=\"background:rgba(168,68,10,0.25)\">1</td></tr>"));
  EvaluationPage many = three_classes();
  while (many.classes.size() < 41) many.classes.push_back({.name = "more"});
  EXPECT_THAT(written(many), Not(HasSubstr("rgba(")));
}

TEST(EvaluationPage, ShowsMistakesAndFiltersWhereThereAreSome) {
  EvaluationPage page = three_classes();
  const std::string html = written(page);
  EXPECT_THAT(html, HasSubstr("<img src=\"images/mistake01.png\" alt=\"photos/1 &amp; 2.jpg\""));
  EXPECT_THAT(html, HasSubstr("<b>a&lt;b&gt;</b> 0.1 %<br>cat 99.0 %"));
  EXPECT_THAT(html, Not(HasSubstr("filters\" src")));
  page.filters = "images/filters.png";
  page.mistakes.clear();
  page.answers = {{{0, 0}, 3}};
  const std::string other = written(page);
  EXPECT_THAT(other, HasSubstr("<img class=\"filters\" src=\"images/filters.png\""));
  EXPECT_THAT(other, HasSubstr("No image was taken for another class."));
  EXPECT_THAT(other, Not(HasSubstr("worst mistakes")));
}

}  // namespace
}  // namespace bn
