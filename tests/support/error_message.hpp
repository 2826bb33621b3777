#pragma once

#include <gtest/gtest.h>

#include <string>

#define EXPECT_CONTAINS(text, part) EXPECT_NE((text).find(part), std::string::npos) << "in: " << (text)

namespace bn::test {

// The message that the user reads when `action` fails as it must. The test fails when `action` throws nothing or
// another type.
template <class ExpectedError, class Action>
std::string error_message(Action&& action) {
  try {
    action();
  } catch (const ExpectedError& error) {
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "another type of error: " << error.what();
    return {};
  }
  ADD_FAILURE() << "no error";
  return {};
}

}  // namespace bn::test
