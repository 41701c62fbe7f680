// The functions of fmt, compiled into the program: its shared library would bring libstdc++'s, and
// loading the two takes a fifth of the time of a small check. The instances are those that fmt's
// headers declare and leave to its library.
#include <fmt/format-inl.h>

namespace fmt::detail {

template void vformat_to(buffer<char>&, string_view, basic_format_args<FMT_BUFFER_CONTEXT(char)>,
                         locale_ref);
template auto dragonbox::to_decimal(float) noexcept -> dragonbox::decimal_fp<float>;
template auto dragonbox::to_decimal(double) noexcept -> dragonbox::decimal_fp<double>;
template auto locale_ref::get<std::locale>() const -> std::locale;
template auto thousands_sep_impl(locale_ref) -> thousands_sep_result<char>;
template auto decimal_point_impl(locale_ref) -> char;
template void buffer<char>::append(const char*, const char*);

}  // namespace fmt::detail
