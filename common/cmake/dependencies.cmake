# What we stand on; each is found here once, and used through one door (see docs/architecture.md).
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(ZMQ REQUIRED IMPORTED_TARGET libzmq>=4.3.3)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3>=3.37) # strict tables
# Upstream names it msgpack-c since 6; Debian 12 has 4.0.0 as msgpack.
pkg_check_modules(MSGPACK IMPORTED_TARGET msgpack-c)
if(NOT MSGPACK_FOUND)
  pkg_check_modules(MSGPACK REQUIRED IMPORTED_TARGET msgpack)
endif()
pkg_check_modules(NGHTTP2 REQUIRED IMPORTED_TARGET libnghttp2)
find_package(OpenSSL 3.0 REQUIRED COMPONENTS SSL Crypto)
# io_uring for the lanes; without it they run on epoll.
pkg_check_modules(URING IMPORTED_TARGET liburing>=2.3)
