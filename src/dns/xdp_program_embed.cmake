# SPDX-License-Identifier: Apache-2.0
# cmake -DOBJECT=FILE -DSOURCE=FILE -P: writes the compiled XDP program as an array that a program of ours carries.
file(READ ${OBJECT} bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
file(WRITE ${SOURCE} "#include \"dns/xdp_program_object.h\"

namespace fairway::dns {
alignas(8) static const unsigned char object[] = {${bytes}};
const std::span<const unsigned char> xdp_program_object(object);
}
")
